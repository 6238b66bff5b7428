//! What Slack is sent: a customer's name there is text.

use evergrant::clock::Clock as _;
use evergrant::ids::ConnectionId;
use evergrant::webhooks::deliver::run_due;
use evergrant::webhooks::{About, Event, EventKind, outbox};
use serde_json::json;

use crate::support::on_both_with_receiver;

#[tokio::test]
async fn a_customers_name_is_no_markup_in_slack_and_word_for_word_elsewhere() {
    on_both_with_receiver(async |t, receiver| {
        let own = "{{linked_account_name}} {{event.linked_account_id}}";
        for more in [
            json!({ "webhook_type": "slack" }),
            json!({ "webhook_type": "custom", "webhook_body": own }),
        ] {
            let mut body = json!({ "webhook_url": receiver.url(), "webhook_events": ["Connection Expired"] });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            t.post("/api/v2/public/webhook", &body).ok().await;
        }
        let names = ["<!channel> <https://evil.example|Sign in> &lt;&amp;"];
        for name in names {
            let at = t.clock.now();
            let event = Event {
                kind: EventKind::ConnectionExpired,
                about: About::Connection {
                    id: ConnectionId::new(at),
                    linked_account_id: "<a>".to_owned(),
                    linked_account_name: Some(name.to_owned()),
                },
                slug: "slack".to_owned(),
                at,
            };
            let mut tx = t.app.db.begin().await.unwrap();
            outbox::append(&mut tx, &t.environment.tenant, &event).await.unwrap();
            tx.commit().await.unwrap();
        }
        assert_eq!(run_due(&t.app).await.unwrap(), 2);
        let mut bodies: Vec<String> = receiver.received().iter().map(|got| got.body.clone()).collect();
        bodies.sort_unstable();
        let word_for_word = format!("\"{} <a>\"", names[0]);
        let slack =
            "Connection Expired: slack for &lt;!channel&gt; &lt;https://evil.example|Sign in&gt; &amp;lt;&amp;amp;";
        assert_eq!(bodies, [word_for_word, json!({ "text": slack }).to_string()]);
    })
    .await;
}
