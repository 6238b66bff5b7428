//! Who answers at the callback of an application whose file names no issuer (RFC 9207).

use super::world::{World, provider};
use crate::cli::program::Program;
use crate::support::Manners;

#[tokio::test]
async fn where_the_file_names_no_issuer_its_host_must_be_one_of_the_applications_own() {
    let world = World::around(Program::sqlite(), provider(Manners::Strict, 3600).await).await;
    let server = world.program.serve();
    world.prepare(&server).await;
    for foreign in [
        "https://evil.example",
        "http://127.0.0.1.evil.example",
        "127.0.0.1",
        "mailto:a@b.example",
    ] {
        let consent = world.to_consent(&server).await;
        let page = world.come_back(&consent, &[("code", "a-code"), ("iss", foreign)]).await;
        assert_eq!(page.status, 400, "{foreign}: {}", page.text);
    }
    assert!(!world.provider.seen().iter().any(|line| line.contains("a-code")));
    let consent = world.to_consent(&server).await;
    let own = format!("http://{}", world.provider.address);
    let page = world.come_back(&consent, &[("code", "a-code"), ("iss", &own)]).await;
    assert_eq!(page.status, 200, "{}", page.text);
}
