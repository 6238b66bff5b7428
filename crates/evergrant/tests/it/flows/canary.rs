//! Known secrets go through every flow, success and failure, and are then searched for everywhere.

use axum::http::Method;
use serde_json::{Value, json};

use super::secrets::{Secrets, database, text_of, vacuum};
use super::world::{ACCOUNT, World, programs};
use crate::cli::program::{Program, Server};
use crate::support::{Answer, Manners, Scripted};

const CLIENT: &str = "CanaryClient+ of \"the\" team/=";
const KEY: &str = "CanaryKey&of a customer";
const HEADER: &str = "CanaryHeader value";
const CREDENTIAL: &str = "CanaryCredential \"x\"";
const CODE: &str = "CanaryCode~1";
const GRANT: &str = "CanaryGrant~";
/// What a careless provider repeats in its errors.
const ECHO: &str = "CanaryClient+ of \"the\" team/= CanaryCode~1 CanaryGrant~at-1 CanaryGrant~rt-1 CanaryGrant~rt-2 \
    CanaryKey&of a customer CanaryHeader value";

/// A story, and all that was said in it.
struct Story {
    world: World,
    server: Server,
    secrets: Secrets,
    said: Vec<(String, String)>,
}

impl Story {
    async fn begin(program: Program, log: &str) -> Self {
        let provider = Scripted::start(Manners::Strict, GRANT, 3600).await;
        let mut world = World::around(
            program.with("EVERGRANT_LOG", log).with("EVERGRANT_SANDBOX", "on"),
            provider,
        )
        .await;
        CLIENT.clone_into(&mut world.client_secret);
        let server = world.program.serve();
        world.prepare(&server).await;
        let mut secrets = Secrets::default();
        for (name, value) in [
            ("the client's secret", "CanaryClient"),
            ("the customer's key", "CanaryKey"),
            ("the webhook's header", "CanaryHeader"),
            ("the default app's credential", "CanaryCredential"),
            ("the code", "CanaryCode"),
            ("a token", "CanaryGrant"),
            ("the master key", &world.program.master_key),
            ("the API key", &world.key),
        ] {
            secrets.add(name, value);
        }
        Self {
            world,
            server,
            secrets,
            said: Vec::new(),
        }
    }

    /// Goes on with another API key: one alone may not call as often as all this takes.
    fn another_key(&mut self) {
        let made = self.world.program.json(&["key", "create"]);
        made["key"].as_str().unwrap().clone_into(&mut self.world.key);
        self.secrets.add("another API key", &self.world.key);
    }

    fn hear(&mut self, what: &str, answer: &Answer, own: &[&str]) {
        self.said.push((what.to_owned(), text_of(answer, own)));
    }

    /// A call with the API key whose answer holds no secret.
    async fn call(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let answer = self.world.by_key(&self.server, (method, path), body.as_ref()).await;
        self.hear(path, &answer, &[]);
        answer
    }

    /// The same, and it has this status.
    async fn gives(&mut self, status: u16, (method, path): (Method, &str), body: Option<Value>) {
        let answer = self.call(method, path, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }

    /// How the connection of an application stands.
    async fn look(&mut self, slug: &str) -> Value {
        let id = self.world.row_of(slug).await.id;
        self.call(Method::GET, &format!("/api/v2/public/connection/{id}"), None)
            .await
            .json()
    }

    /// Goes to the consent page and comes back; the state, and what the browser was given, are secrets from then on.
    async fn consent(&mut self, more: &[(&str, &str)]) -> Answer {
        let consent = self.world.to_consent(&self.server).await;
        let state = consent.0.query_pairs().find(|(name, _)| name == "state").unwrap().1;
        self.secrets.add("a state", &state);
        self.secrets
            .add("a browser's value", consent.1.split_once('=').unwrap().1);
        let page = self.world.come_back(&consent, more).await;
        self.hear("the callback", &page, &[]);
        let again = self.world.come_back(&consent, more).await;
        self.hear("the callback again", &again, &[]);
        page
    }

    async fn oauth(&mut self) {
        for error in ["access_denied", ECHO] {
            self.consent(&[("error", error), ("error_description", ECHO)]).await;
        }
        for (status, body) in refusals("invalid_grant") {
            self.world.provider.instead("/token", status, &body);
            assert_eq!(self.consent(&[("code", CODE)]).await.status, 502);
        }
        assert_eq!(self.consent(&[("code", CODE)]).await.status, 200);
        self.pass_through("crash").await;
        let refresh = format!("/api/v2/public/connection/{}/refresh", self.world.row().await.id);
        self.gives(200, (Method::POST, &refresh), None).await;
        for error in ["invalid_request", "invalid_client", "invalid_grant"] {
            self.another_key();
            for (status, body) in refusals(error) {
                self.world.provider.instead("/token", status, &body);
                self.gives(200, (Method::POST, &refresh), None).await;
                self.look("crash").await;
            }
        }
        assert_eq!(self.look("crash").await["status"], "reauth_required");
        let seen = self.world.provider.seen().join("\n");
        for (_, verifier) in seen
            .match_indices("code_verifier=")
            .map(|(at, _)| seen[at..].split_at(14))
        {
            self.secrets
                .add("a verifier", verifier.split(['&', '\n']).next().unwrap());
        }
    }

    /// Calls through the proxy, with secrets in path, query and body. What the provider answers is the caller's own.
    async fn pass_through(&self, slug: &str) {
        let path = format!("/api/v2/public/proxy/{slug}/CanaryGrant~at-1?CanaryKey=CanaryHeader");
        let body = json!({ "secret": ECHO });
        for status in [200, 400, 403, 429, 500] {
            self.world.provider.instead("/CanaryGrant~at-1", status, ECHO);
            let call = (Method::POST, path.as_str());
            let answer = self.world.by_key(&self.server, call, Some(&body)).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, ECHO));
        }
        let refused = format!("/api/v2/public/proxy/{slug}/..%2fCanaryGrant~at-1");
        let answer = self.world.by_key(&self.server, (Method::GET, &refused), None).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(!answer.text.contains("Canary"), "{}", answer.text);
    }

    async fn keys(&mut self) {
        self.another_key();
        let save = "/api/v2/public/linked-account/integration/save-key-credentials/crash-key";
        for (status, body) in refusals("invalid_key") {
            self.world.provider.instead("/me", status, &body);
            let answer = self.call(Method::PUT, save, Some(json!({ "api_key": KEY }))).await;
            assert!(!answer.status.is_success());
        }
        self.gives(200, (Method::PUT, save), Some(json!({ "api_key": KEY })))
            .await;
        self.gives(400, (Method::PUT, save), Some(json!({ "key": KEY }))).await;
        self.pass_through("crash-key").await;
        let check = format!(
            "/api/v2/public/connection/{}/check",
            self.world.row_of("crash-key").await.id
        );
        for (status, body) in refusals("invalid_key") {
            self.world.provider.instead("/me", status, &body);
            self.gives(200, (Method::POST, &check), None).await;
            self.look("crash-key").await;
        }
    }

    /// Tokens and keys that a team brings along, refused and taken; the sandbox is the provider, since custom applications
    /// take none.
    async fn migrate(&mut self) {
        self.another_key();
        let redirect = format!("http://{}/api/v1/sandbox-oauth/callback", self.server.address);
        let client = json!({ "client_id": "canary", "client_secret": CLIENT, "redirect_uris": [redirect] });
        let answer = self
            .call(Method::POST, "/sandbox/control/clients", Some(client.clone()))
            .await;
        assert!(answer.status.is_success(), "{}", answer.text);
        let path = "/api/v2/public/application/sandbox-oauth/oauth-client";
        self.gives(200, (Method::PUT, path), Some(client)).await;
        let path = "/api/v2/public/migrate-token";
        for given in [
            json!({ "slug": "sandbox-oauth", "auth_object": { "refresh_token": format!("{GRANT}brought") } }),
            json!({ "slug": "sandbox-oauth", "auth_object": { "access_token": format!("{GRANT}brought") } }),
            json!({ "slug": "sandbox-oauth", "auth_object": { "oauth2": { "client_secret": CLIENT } } }),
            json!({ "slug": "sandbox-key", "auth_object": { "api_key": KEY } }),
        ] {
            self.gives(400, (Method::PUT, path), Some(given)).await;
        }
        let made = self
            .world
            .ok(&self.server, (Method::POST, "/sandbox/control/keys"), Some(&json!({})))
            .await;
        let key = made["key"].as_str().unwrap().to_owned();
        self.secrets.add("a key of the sandbox", &key);
        let given = json!({ "slug": "sandbox-key", "auth_object": { "keybased": { "api_key": key } } });
        self.gives(200, (Method::PUT, path), Some(given)).await;
        self.look("sandbox-key").await;
    }

    /// A key typed into the hosted page's form: refused, then taken.
    async fn hosted(&mut self, token: &str) {
        let url = format!("http://{}/connect/crash-key", self.server.address);
        let cookie = format!("evergrant_session={token}");
        let form = self.world.browse(&url, &cookie).await;
        let csrf = form.answer.text.split("name=\"csrf\" value=\"").nth(1).unwrap();
        let csrf = csrf.split('"').next().unwrap().to_owned();
        self.hear("the form", &form.answer, &[]);
        let key = KEY.replace(' ', "+").replace('&', "%26");
        let body = format!("csrf={csrf}&action=connect&auth_type=keybased&f.api_key={key}");
        self.world.provider.instead("/me", 401, ECHO);
        for status in [400, 303] {
            let headers = [("cookie", cookie.as_str())];
            let answer = self.world.call((Method::POST, &url), &headers, Some(&body)).await;
            assert_eq!(answer.status, status, "{}", answer.text);
            self.hear("the form's answer", &answer, &[]);
        }
    }

    async fn default_app(&mut self) {
        let account = json!({ "linked_account_id": ACCOUNT, "your_app": { "auth_credentials": { "a": CREDENTIAL } } });
        let answer = self.world.by_key(
            &self.server,
            (Method::PUT, "/api/v2/public/linked-account"),
            Some(&account),
        );
        let answer = answer.await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.hear("the account", &answer, &[]);
        let path = "/api/v2/public/linked-account/default-app/auth-credentials/b";
        self.gives(200, (Method::PUT, path), Some(json!({ "value": CREDENTIAL })))
            .await;
        self.gives(200, (Method::DELETE, path), None).await;
    }

    async fn webhook(&mut self) {
        let url = format!("http://{}/hook", self.world.provider.address);
        let body = json!({ "webhook_url": url, "webhook_events": ["Connection Created", "Connection Expired"],
            "webhook_headers": { "x-own": HEADER } });
        self.world.provider.instead("/hook", 500, ECHO);
        let path = "/api/v2/public/webhook";
        let answer = self.world.by_key(&self.server, (Method::POST, path), Some(&body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.hear("the webhook", &answer, &[HEADER]);
    }

    /// A session token in an address, in a header, and wrong by a letter.
    async fn session(&mut self) {
        let path = (Method::POST, "/api/v2/public/session-token");
        let body = json!({ "linked_account_id": ACCOUNT });
        let answer = self.world.by_key(&self.server, path, Some(&body)).await;
        let issued = answer.json();
        let (token, refresh) = (
            issued["token"].as_str().unwrap(),
            issued["refresh_token"].as_str().unwrap(),
        );
        self.hear("the session", &answer, &[token, refresh]);
        self.secrets.add("the session token", token);
        self.secrets.add("the session's refresh token", refresh);
        let at = format!("http://{}", self.server.address);
        let opened = self.world.browse(&format!("{at}/connect/{token}"), "").await;
        self.hear("the page's address", &opened.answer, &[token]);
        self.hosted(token).await;
        for path in [
            format!("/connect/{token}x"),
            format!("/api/v1/crash/start/{token}"),
            format!("/{token}?a={token}"),
        ] {
            let page = self
                .world
                .browse(&format!("{at}{path}"), &format!("evergrant_session={token}x"))
                .await;
            self.hear("a wrong address", &page.answer, &[]);
        }
        let (bearer, key) = (format!("Bearer {token}"), format!("{}x", self.world.key));
        let (wrong, malformed) = (format!("{bearer}x"), format!("Basic {token}"));
        for (name, value) in [
            ("authorization", &bearer),
            ("authorization", &wrong),
            ("authorization", &malformed),
            ("x-api-key", &key),
        ] {
            for (method, path) in [
                (Method::GET, "/api/v1/crash/integrate"),
                (Method::POST, "/api/v2/app/crash-key/save"),
            ] {
                let (url, headers) = (format!("{at}{path}"), [(name, value.as_str())]);
                let answer = self.world.call((method.clone(), &url), &headers, Some("{")).await;
                if !answer.status.is_success() {
                    self.hear("a wrong caller", &answer, &[]);
                }
            }
        }
    }

    /// Bodies that are wrong, with secrets in them.
    async fn malformed(&mut self) {
        let at = format!("http://{}", self.server.address);
        let bodies = [
            format!("{{\"api_key\": \"{KEY}\", "),
            format!("{{\"api_key\": {{\"{KEY}\": \"{KEY}\"}}}}"),
            format!("\"{KEY}\""),
            format!("[\"{KEY}\"]"),
            format!("{{\"client_id\": \"c\", \"client_secret\": [\"{KEY}\"]}}"),
            format!("{{\"client_secret\": \"{KEY}\", \"scopes\": \"{KEY}\"}}"),
            format!("{{\"webhook_headers\": \"{KEY}\", \"webhook_url\": 1}}"),
            format!("{{\"auth_object\": {{\"api_key\": \"{KEY}\"}}, \"slug\": 7}}"),
            format!("{{\"auth_object\": \"{KEY}\", \"slug\": \"crash\"}}"),
            format!("{{\"linked_account_id\": [\"{KEY}\"], \"your_app\": \"{KEY}\"}}"),
        ];
        for (method, path) in [
            (
                Method::PUT,
                "/api/v2/public/linked-account/integration/save-key-credentials/crash-key",
            ),
            (Method::PUT, "/api/v2/public/application/crash/oauth-client"),
            (Method::POST, "/api/v2/public/webhook"),
            (Method::PUT, "/api/v2/public/migrate-token"),
            (Method::POST, "/api/v2/public/linked-account"),
            (Method::PUT, "/api/v2/public/linked-account"),
            (Method::POST, "/api/v2/public/session-token"),
        ] {
            self.another_key();
            for body in &bodies {
                let headers = [("x-api-key", self.world.key.as_str()), ("linked_account_id", ACCOUNT)];
                let answer = self
                    .world
                    .call((method.clone(), &format!("{at}{path}")), &headers, Some(body))
                    .await;
                assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text);
                self.hear(path, &answer, &[]);
            }
        }
    }

    /// What the command line shows of all this.
    fn command_line(&mut self) {
        for words in [
            &["connection", "list"][..],
            &["app", "client", "list"],
            &["webhook", "list"],
            &["account", "list"],
            &["key", "list"],
        ] {
            for more in [&[][..], &["--json"]] {
                let done = self.world.program.run(&[words, more].concat());
                assert_eq!(done.code, 0, "{words:?}: {}", done.err);
                self.said.push((words.join(" "), done.out + &done.err));
            }
        }
    }

    async fn search(mut self) -> Vec<String> {
        let mut places = std::mem::take(&mut self.said);
        for words in ["expired", "invalid_key", "invalid_request"] {
            let evidence = format!("\"words\":\"{words}");
            assert!(
                places.iter().any(|(_, text)| text.contains(&evidence)),
                "{words}: evidence was looked at"
            );
        }
        let events = self.world.events(3).await;
        places.extend(events.into_iter().map(|event| ("an event".to_owned(), event.body)));
        // Once with the write-ahead log beside it, and once in good order.
        places.push(("the database".to_owned(), database(&self.world).await));
        assert_eq!(self.server.stop(), Some(0));
        places.push(("the log".to_owned(), self.server.log.join("\n")));
        vacuum(&self.world).await;
        places.push(("the tidied database".to_owned(), database(&self.world).await));
        let found = places
            .iter()
            .flat_map(|(place, text)| self.secrets.found_in(place, text));
        found.collect()
    }
}

/// Ways to refuse that repeat what was sent.
fn refusals(error: &str) -> Vec<(u16, String)> {
    let revoked = format!("Token has been expired or revoked: {ECHO}");
    let members = json!({ "error": error, "error_description": ECHO, "message": ECHO, "detail": [ECHO], GRANT: ECHO });
    vec![
        (401, members.to_string()),
        (503, ECHO.to_owned()),
        (400, format!("<html><title>{ECHO}</title><h1>{revoked}</h1></html>")),
        (401, format!("invalid api key {ECHO}")),
        (
            401,
            json!({ "error": "CanaryGrant~rt-2", "code": "CanaryKey&of a customer" }).to_string(),
        ),
        (401, "CanaryKey&of a customer".to_owned()),
        (
            403,
            json!({ "message": format!("{ECHO}: the API key is invalid") }).to_string(),
        ),
        (200, json!({ "error": revoked, "ok": false }).to_string()),
        (
            401,
            json!({ "error": { "message": revoked, "code": ECHO } }).to_string(),
        ),
        (400, json!({ "error": ECHO, "error_description": revoked }).to_string()),
        (400, json!({ "error": error, "error_description": revoked }).to_string()),
    ]
}

async fn tell(log: &str) {
    for program in programs().await {
        let mut story = Story::begin(program, log).await;
        story.webhook().await;
        story.session().await;
        story.oauth().await;
        story.keys().await;
        story.migrate().await;
        story.default_app().await;
        story.malformed().await;
        story.command_line();
        for slug in ["crash", "crash-key", "sandbox-key"] {
            story.world.provider.instead("/revoke", 400, ECHO);
            let path = format!("/api/v2/public/linked-account/integration/{slug}");
            story.gives(200, (Method::DELETE, &path), None).await;
            story.look(slug).await;
        }
        let found = story.search().await;
        assert!(found.is_empty(), "{} places: {found:#?}", found.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_found_in_logs_answers_events_or_the_database() {
    tell("info,evergrant=trace,evergrant_oauth=trace").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_logged_by_anybody_at_the_most_talkative_level() {
    tell("trace").await;
}
