//! The load on the server, and the comparison.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use evergrant::ids::ConnectionId;

/// How many connections are in use where few are.
const HOT: &str = "100";

/// wrk, and what it sends.
pub(crate) struct Load {
    address: SocketAddr,
    script: String,
    seconds: u32,
}

/// What one run of it came to.
struct Run {
    per_second: f64,
    p50: String,
    p99: String,
}

impl Load {
    /// Of these connections, with this key.
    pub(crate) fn new(folder: &Path, ids: &[ConnectionId], (address, key): (SocketAddr, &str)) -> anyhow::Result<Self> {
        let mut list = String::new();
        for id in ids {
            writeln!(list, "{id}")?;
        }
        let (file, script) = (folder.join("ids"), folder.join("random.lua"));
        std::fs::write(&file, list)?;
        let text = format!(
            "local ids, headers, before, behind, most = {{}}, {{ ['x-api-key'] = '{key}' }}\n\
             for line in io.lines('{}') do ids[#ids + 1] = line end\n\
             function init(args) before, behind, most = args[1], args[2], math.min(#ids, tonumber(args[3])); math.randomseed(os.time()) end\n\
             function request() return wrk.format('GET', before .. ids[math.random(most)] .. behind, headers) end\n",
            file.display()
        );
        std::fs::write(&script, text)?;
        Ok(Self {
            address,
            script: script.display().to_string(),
            seconds: 2,
        })
    }

    fn run(&self, connections: u32, [before, behind, most]: [&str; 3], seconds: u32) -> anyhow::Result<Run> {
        let done = Command::new("wrk")
            .args([
                "-t1",
                &format!("-c{connections}"),
                &format!("-d{seconds}s"),
                "--latency",
                "-s",
                &self.script,
            ])
            .args([&format!("http://{}", self.address), "--", before, behind, most])
            .output()
            .context("wrk is needed")?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        if !done.status.success() || text.contains("Non-2xx") || text.contains("Socket errors") {
            bail!("wrk on {before}: {text}{}", String::from_utf8_lossy(&done.stderr));
        }
        let word = |after: &str| {
            // The table above the distribution has percentages too.
            let text = text.split("Latency Distribution").last().unwrap_or_default();
            let rest = text.split(after).nth(1).unwrap_or_default();
            rest.split_whitespace().next().unwrap_or_default().to_owned()
        };
        Ok(Run {
            per_second: word("Requests/sec:").parse()?,
            p50: word("50%"),
            p99: word("99%"),
        })
    }

    /// Runs all cases in turn, and says what of the fixed reply behind the same authentication a credential comes to.
    pub(crate) fn compare(
        &self,
        connections: u32,
        (rounds, goal, cached): (usize, f64, Option<f64>),
    ) -> anyhow::Result<()> {
        const ALL: &str = "1000000000";
        const CASES: [(&str, [&str; 3]); 4] = [
            ("fixed reply, no authentication", ["/bench/open/", "", ALL]),
            ("fixed reply, authenticated", ["/bench/fixed/", "", ALL]),
            ("credential, of all", ["/api/v2/public/connection/", "/credential", ALL]),
            ("credential, of 100", ["/api/v2/public/connection/", "/credential", HOT]),
        ];
        let mut runs: [Vec<Run>; CASES.len()] = Default::default();
        for (_, path) in CASES {
            self.run(connections, path, 1)?;
        }
        for _ in 0..rounds {
            for (runs, (_, path)) in runs.iter_mut().zip(CASES) {
                runs.push(self.run(connections, path, self.seconds)?);
            }
        }
        println!("  {connections} connections, {rounds} rounds of {} s", self.seconds);
        for (runs, (name, _)) in runs.iter().zip(CASES) {
            let middle = &runs[runs.len() / 2];
            println!(
                "    {name:32} {:9.0} requests/s   p50 {:>8}  p99 {:>8}",
                median(runs.iter().map(|run| run.per_second)),
                middle.p50,
                middle.p99
            );
        }
        for (case, word, goal) in [(2, "uncached", Some(goal)), (3, "of 100", cached)] {
            let pairs = runs[case].iter().zip(&runs[1]);
            let ratio = median(pairs.map(|(credential, fixed)| credential.per_second / fixed.per_second));
            let what = match goal {
                None => "remembered by nobody: no goal".to_owned(),
                Some(goal) => format!("goal {goal}: {}", if ratio >= goal { "met" } else { "MISSED" }),
            };
            println!("    {word}: {ratio:.2} of the authenticated reply   {what}");
        }
        Ok(())
    }
}

/// The middle one.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
