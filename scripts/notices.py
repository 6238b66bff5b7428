"""Signs the notices that the tests of crates/evergrant/tests/it/flows/notices.rs send, with Python's hmac and the openssl
command: libraries that share no code with the server's. Writes tests/data/notices/vectors.json.

The clock of the tests stands at 2024-01-02T03:04:05.678Z. Keys are made anew at each run and thrown away; only what they
signed and the public half is kept.

Usage: python3 scripts/notices.py
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import subprocess
import tempfile

NOW_MS = 1_704_164_645_678
NOW = NOW_MS // 1000
ADDRESS = "test-address-of-this-application"
URL = f"http://127.0.0.1:8080/notices/{ADDRESS}"
OUT = pathlib.Path(__file__).parent.parent / "crates/evergrant/tests/data/notices/vectors.json"


def mac(secret, content, algorithm="sha256"):
    return hmac.new(secret.encode(), content.encode(), getattr(hashlib, algorithm))


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def one(name, slug, reason, account, body, headers, **more):
    return {"name": name, "slug": slug, "reason": reason, "account": account, "body": body, "headers": headers,
            "method": "POST", "own_secret": None, "client_id": "our-client", "client_secret": "our-client-secret",
            "signed_time": True, "event_time": True, **more}


def slack(name, reason, event):
    body = compact({"type": "event_callback", "team_id": "T0LAB", "event_id": "Ev1", "event_time": NOW, "event": event})
    signature = "v0=" + mac("slack-signing-secret", f"v0:{NOW}:{body}").hexdigest()
    headers = {"x-slack-signature": signature, "x-slack-request-timestamp": str(NOW)}
    return one(name, "slack", reason, "T0LAB", body, headers, own_secret="slack-signing-secret")


def shopify():
    body = compact({"id": 690933842, "name": "Lab", "myshopify_domain": "lab.myshopify.com"})
    signature = base64.b64encode(mac("our-client-secret", body).digest()).decode()
    headers = {"x-shopify-topic": "app/uninstalled", "x-shopify-hmac-sha256": signature,
               "x-shopify-triggered-at": "2024-01-02T03:04:05.100000000Z"}
    return one("shopify", "shopify", "app_uninstalled", "lab.myshopify.com", body, headers, signed_time=False)


def github(name, kind, reason, payload, event_time=False):
    body = compact(payload)
    signature = "sha256=" + mac("github-webhook-secret", body).hexdigest()
    headers = {"x-github-event": kind, "x-hub-signature-256": signature}
    return one(name, "github", reason, "583231", body, headers, own_secret="github-webhook-secret", signed_time=False,
               event_time=event_time)


def hubspot():
    event = {"eventId": 1, "subscriptionType": "app.uninstalled", "portalId": 62515, "appId": 1, "occurredAt": NOW_MS}
    body = compact([event])
    content = "POST" + URL + body + str(NOW_MS)
    headers = {"x-hubspot-signature-v3": base64.b64encode(mac("our-client-secret", content).digest()).decode(),
               "x-hubspot-request-timestamp": str(NOW_MS)}
    return one("hubspot", "hubspot", "app_uninstalled", "62515", body, headers)


def zoom():
    payload = {"account_id": "E", "user_id": "z8dsdsdsdsdCfp8uQ", "client_id": "our-client",
               "deauthorization_time": "2024-01-02T03:04:05.500Z"}
    body = compact({"event": "app_deauthorized", "event_ts": NOW_MS, "payload": payload})
    headers = {"x-zm-signature": "v0=" + mac("zoom-secret-token", f"v0:{NOW}:{body}").hexdigest(),
               "x-zm-request-timestamp": str(NOW)}
    return one("zoom", "zoom", "app_uninstalled", "z8dsdsdsdsdCfp8uQ", body, headers, own_secret="zoom-secret-token")


def stripe():
    body = compact({"id": "evt_1", "object": "event", "account": "acct_lab", "created": NOW,
                    "type": "account.application.deauthorized", "data": {"object": {"id": "ca_1"}}})
    good = mac("whsec_lab", f"{NOW}.{body}").hexdigest()
    headers = {"stripe-signature": f"t={NOW},v1={'0' * 64},v1={good},v0=ignored"}
    return one("stripe", "stripe", "app_uninstalled", "acct_lab", body, headers, own_secret="whsec_lab")


def intercom():
    body = compact({"type": "notification_event", "topic": "app.uninstalled", "app_id": "ws_lab", "created_at": NOW,
                    "id": "notif_1", "data": {"type": "notification_event_data"}})
    headers = {"x-hub-signature": "sha1=" + mac("our-client-secret", body, "sha1").hexdigest()}
    return one("intercom", "intercom", "app_uninstalled", "ws_lab", body, headers, signed_time=False)


def pipedrive():
    body = compact({"client_id": "our-client", "company_id": 9, "user_id": 11,
                    "timestamp": "2024-01-02T03:04:05.000Z"})
    credentials = base64.b64encode(b"our-client:our-client-secret").decode()
    return one("pipedrive", "pipedrive", "app_uninstalled", "11", body, {"authorization": f"Basic {credentials}"},
               method="DELETE", path="/api/v1/pipedrive/callback", signed_time=False)


def google(folder):
    key, public = f"{folder}/key.pem", f"{folder}/public.pem"
    run = lambda *command, **more: subprocess.run(command, check=True, capture_output=True, **more).stdout
    run("openssl", "genrsa", "-out", key, "2048")
    run("openssl", "rsa", "-in", key, "-pubout", "-out", public)
    modulus = run("openssl", "rsa", "-in", key, "-noout", "-modulus").decode().split("=")[1].strip()
    keys = {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "lab-key", "e": "AQAB",
                      "n": b64url(bytes.fromhex(modulus))}]}
    base = "https://schemas.openid.net/secevent/"

    def token(event, audience="our-client", header=None, issuer="https://accounts.google.com/", iat=NOW):
        head = header or {"alg": "RS256", "typ": "secevent+jwt", "kid": "lab-key"}
        claims = {"iss": issuer, "aud": audience, "iat": iat, "jti": re.sub("[^a-z]", "", str(event))[:40], "events": event}
        signed = b64url(compact(head).encode()) + "." + b64url(compact(claims).encode())
        signature = run("openssl", "dgst", "-sha256", "-sign", key, input=signed.encode())
        return signed + "." + b64url(signature)

    account = {"subject": {"subject_type": "iss-sub", "iss": "https://accounts.google.com/", "sub": "7375626A"}}
    held = "1//0-refresh-token-of-this-test"
    twice = hashlib.sha512(hashlib.sha512(held.encode()).digest()).digest()
    by_token = lambda algorithm, value: {"subject": {"subject_type": "oauth_token", "token_type": "refresh_token",
                                                     "token_identifier_alg": algorithm, "token": value}}
    headers = {"content-type": "application/secevent+jwt"}
    of = lambda name, reason, event, **more: one(
        name, "google-drive", reason, "7375626A", token(event), headers, **more)
    events = [
        of("google tokens revoked", "token_revoked", {base + "oauth/event-type/tokens-revoked": account}),
        of("google account disabled", "user_disabled", {base + "risc/event-type/account-disabled": account}),
        of("google token revoked, by its hash", "token_revoked", {base + "oauth/event-type/token-revoked": by_token(
            "hash_base64_sha512_sha512", base64.b64encode(twice).decode())}, refresh_token=held),
        of("google token revoked, by its beginning", "token_revoked", {base + "oauth/event-type/token-revoked": by_token(
            "prefix", held[:16])}, refresh_token=held),
    ]
    event = {base + "oauth/event-type/tokens-revoked": account}
    refused = {
        "meant for another client": token(event, audience="their-client"),
        "another issuer's": token(event, issuer="https://evil.example"),
        "too old": token(event, iat=NOW - 8 * 86400),
        "without an algorithm": b64url(b'{"alg":"none","kid":"lab-key"}') + token(event)[token(event).index("."):],
        "keyed with the public key": token(event, header={"alg": "HS256", "kid": "lab-key"}),
        "of an unknown key": token(event, header={"alg": "RS256", "kid": "other"}),
        "no token": "hello",
    }
    return events, keys, refused


def challenges():
    """What Slack and Zoom send when the address is pasted, and what they want to hear."""
    body = compact({"token": "x", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "type": "url_verification"})
    signature = "v0=" + mac("slack-signing-secret", f"v0:{NOW}:{body}").hexdigest()
    slack = {"slug": "slack", "own_secret": "slack-signing-secret", "body": body,
             "headers": {"x-slack-signature": signature, "x-slack-request-timestamp": str(NOW)},
             "answer": {"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}}
    body = compact({"payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}, "event_ts": NOW_MS, "event": "endpoint.url_validation"})
    signature = "v0=" + mac("zoom-secret-token", f"v0:{NOW}:{body}").hexdigest()
    zoom = {"slug": "zoom", "own_secret": "zoom-secret-token", "body": body,
            "headers": {"x-zm-signature": signature, "x-zm-request-timestamp": str(NOW)},
            "answer": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw",
                       "encryptedToken": mac("zoom-secret-token", "qgg8vlvZRS6UYooatFL8Aw").hexdigest()}}
    return [slack, zoom]


def main():
    with tempfile.TemporaryDirectory() as folder:
        events, keys, refused = google(folder)
    user = {"id": 9, "account": {"login": "octocat", "id": 583231, "type": "User"}, "client_id": "our-client"}
    notices = [
        slack("slack app_uninstalled", "app_uninstalled", {"type": "app_uninstalled"}),
        slack("slack tokens_revoked", "token_revoked", {"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": ["U2"]}}),
        shopify(),
        github("github authorization", "github_app_authorization", "token_revoked",
               {"action": "revoked", "sender": {"login": "octocat", "id": 583231}}),
        github("github installation", "installation", "app_uninstalled", {"action": "deleted", "installation": user}),
        hubspot(), zoom(), stripe(), intercom(), pipedrive(), *events,
    ]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"address": ADDRESS, "notices": notices, "challenges": challenges(), "google_keys": keys, "google_refused": refused}, indent=1) + "\n")
    print(f"{len(notices)} notices written to {OUT.name}")


main()
