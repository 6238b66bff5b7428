// The unmodified official browser client, in a real browser, against a real OAuth server: connecting, noticing that a
// grant died, telling the team, reconnecting in place. Consent is given by clicks on the provider's own pages.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { startBrowser } from './support/browser.mjs';
import { KEYED_APP, Lab, OAUTH_APP } from './support/lab.mjs';
import { eventually } from './support/net.mjs';
import { CLIENT, consent, deny } from './support/oidc.mjs';

/** @typedef {import('./support/lab.mjs').Customer} Customer */

const HEALTHY = { connected: true, reauth_required: false, status: 'active' };
const EXPIRED = { connected: true, reauth_required: true, status: 'expired' };

/** What the client library sees of one application. @param {any} app */
function health(app) {
  return { connected: app.connected, reauth_required: app.reauth_required, status: app.connected_accounts?.[0]?.status };
}

/** Connects through the popup, consenting by clicks. @param {Customer} customer */
async function connectByConsent({ product, account }) {
  const { popup, outcome } = await product.connectByPopup(OAUTH_APP);
  await consent(popup, account);
  assert.deepEqual(await outcome, { value: true });
  return popup;
}

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { browser = await startBrowser(); });
after(async () => { await browser?.close(); });

for (const engine of /** @type {const} */ (['sqlite', 'postgres'])) {
  describe(`on ${engine}`, () => {
    /** @type {Lab} */
    let lab;
    before(async () => { lab = await Lab.start(engine); });
    after(async () => { await lab?.close(); });
    afterEach(async () => { await Promise.all(browser.contexts().map((context) => context.close())); });

    /** @param {string} name */
    const customer = (name) => lab.customer(browser, `${name}-${engine}`);
    /** How often each connection event came for an account. @param {string} account */
    const told = (account) => ['Created', 'Expired', 'Deleted'].map((what) => lab.receiver.of(`Connection ${what}`, account).length);

    test('a grant that is revoked is noticed, told once, and repaired in place', async () => {
      const { evergrant, receiver, oidc } = lab;
      const alice = await customer('alice');
      assert.equal((await alice.product.getApp(OAUTH_APP)).reauth_required, false);

      await connectByConsent(alice);
      assert.deepEqual(health(await alice.product.getApp(OAUTH_APP)), HEALTHY);
      assert((await receiver.next('Connection Created', alice.account)).genuine);
      const id = await evergrant.connectionId(alice.account, OAUTH_APP);

      assert.equal(oidc.revokeGrant(alice.account), 1);
      await evergrant.check(id);
      assert.deepEqual(health(await alice.product.getApp(OAUTH_APP)), EXPIRED);
      const flagged = await evergrant.connection(id);
      assert.equal(flagged.reason, 'token_revoked');
      assert(!Number.isNaN(Date.parse(flagged.since)), `since: ${flagged.since}`);
      const expired = await receiver.next('Connection Expired', alice.account);
      assert(expired.genuine, 'the signature verifies');
      assert.equal(JSON.stringify(expired.body), expired.raw, 'a receiver that serialises again gets the same bytes');
      assert.deepEqual(
        Object.keys(expired.body),
        ['linked_account_id', 'org_id', 'environment', 'type', 'event', 'slug', 'createdAt', 'reauth_url'], // ours stands last
      );
      assert.equal(expired.body.slug, OAUTH_APP);

      await evergrant.check(id); // a second look at the same dead grant is no second transition
      await connectByConsent(alice);
      assert.deepEqual(health(await alice.product.getApp(OAUTH_APP)), HEALTHY);
      assert.equal(await evergrant.connectionId(alice.account, OAUTH_APP), id);
      await evergrant.check(id);
      assert.deepEqual(health(await alice.product.getApp(OAUTH_APP)), HEALTHY);

      assert.deepEqual(await alice.product.disconnect(OAUTH_APP), { value: null });
      assert.equal((await alice.product.getApp(OAUTH_APP)).connected, undefined);
      await receiver.next('Connection Deleted', alice.account);
      assert.deepEqual(told(alice.account), [1, 1, 1]);
      assert.equal(oidc.counts.replays, 0, 'no refresh token was used twice');
    });

    test('a provider that is down is no reason to ask the customer', async () => {
      const bob = await customer('bob');
      await connectByConsent(bob);
      const id = await lab.evergrant.connectionId(bob.account, OAUTH_APP);
      lab.oidc.setDown(true);
      try {
        await lab.evergrant.check(id);
        assert.deepEqual(health(await bob.product.getApp(OAUTH_APP)), HEALTHY);
      } finally {
        lab.oidc.setDown(false);
      }
      await lab.evergrant.check(id);
      assert.deepEqual(health(await bob.product.getApp(OAUTH_APP)), HEALTHY);
      await lab.receiver.next('Connection Created', bob.account);
      assert.deepEqual(told(bob.account), [1, 0, 0]);
    });

    test('checks at once from several processes use each refresh token once', async () => {
      const judy = await customer('judy');
      await connectByConsent(judy);
      const id = await lab.evergrant.connectionId(judy.account, OAUTH_APP);
      const { refreshes } = lab.oidc.counts;
      lab.oidc.expireAccessTokens(judy.account); // before Evergrant expects it: each check meets a 401 first
      lab.oidc.setTokenDelay(500); // so that they overlap for certain
      try {
        await Promise.all(Array.from({ length: 4 }, () => lab.evergrant.check(id)));
      } finally {
        lab.oidc.setTokenDelay(0);
      }
      assert.deepEqual(health(await judy.product.getApp(OAUTH_APP)), HEALTHY);
      assert(lab.oidc.counts.refreshes > refreshes, 'the token was renewed');
      assert.equal(lab.oidc.counts.replays, 0, 'no refresh token was used twice');
      assert.equal(lab.oidc.liveRefreshTokens(judy.account), 1);
      assert.deepEqual(told(judy.account).slice(1), [0, 0]);
    });

    test('a client secret changed at the provider is the team\'s trouble, not the customer\'s', async () => {
      const ivan = await customer('ivan');
      await connectByConsent(ivan);
      const id = await lab.evergrant.connectionId(ivan.account, OAUTH_APP);
      lab.oidc.expireAccessTokens(ivan.account);
      await lab.oidc.changeSecret('another-secret-than-before');
      try {
        await lab.evergrant.check(id);
        assert.deepEqual(health(await ivan.product.getApp(OAUTH_APP)), HEALTHY);
      } finally {
        await lab.oidc.changeSecret(CLIENT.secret);
      }
      await lab.evergrant.check(id);
      assert.deepEqual(health(await ivan.product.getApp(OAUTH_APP)), HEALTHY);
      await lab.receiver.next('Connection Created', ivan.account);
      assert.deepEqual(told(ivan.account), [1, 0, 0]);
    });

    test('a key is verified before it is stored, and a wrong one leaves the old in place', async () => {
      const carol = await customer('carol');
      const key = `good-key-of-carol-on-${engine}`;
      lab.keyed.issue(key, 'carol');

      const refused = await carol.product.connectByKey(KEYED_APP, { api_key: 'wrong-key-of-nobody' });
      assert(refused.error !== undefined, `a wrong key was taken: ${JSON.stringify(refused)}`);
      assert.equal((await carol.product.getApp(KEYED_APP)).connected, undefined);

      assert.deepEqual(await carol.product.connectByKey(KEYED_APP, { api_key: key }), { value: true });
      const connected = await carol.product.getApp(KEYED_APP);
      assert.deepEqual(health(connected), HEALTHY);

      assert((await carol.product.connectByKey(KEYED_APP, { api_key: 'wrong-key-again' })).error !== undefined);
      assert.deepEqual(await carol.product.getApp(KEYED_APP), connected, 'the old key stays, untouched');
      const id = await lab.evergrant.connectionId(carol.account, KEYED_APP);
      await lab.evergrant.check(id);
      assert.deepEqual(health(await carol.product.getApp(KEYED_APP)), HEALTHY);

      lab.keyed.revoke(key);
      await lab.evergrant.check(id);
      assert.deepEqual(health(await carol.product.getApp(KEYED_APP)), EXPIRED);
      assert.equal((await lab.evergrant.connection(id)).reason, 'api_key_invalid');
      const next = `next-key-of-carol-on-${engine}`;
      lab.keyed.issue(next, 'carol');
      assert.deepEqual(await carol.product.connectByKey(KEYED_APP, { api_key: next }), { value: true });
      assert.deepEqual(health(await carol.product.getApp(KEYED_APP)), HEALTHY);
      assert.equal(await lab.evergrant.connectionId(carol.account, KEYED_APP), id);

      assert.deepEqual(await carol.product.disconnect(KEYED_APP), { value: null });
      assert.equal((await carol.product.getApp(KEYED_APP)).connected, undefined);
      // No order is promised between deliveries: each is waited for.
      for (const event of ['Connection Created', 'Connection Expired', 'Connection Deleted']) {
        await lab.receiver.next(event, carol.account);
      }
      assert.deepEqual(told(carol.account), [1, 1, 1]);
    });

    test('consent denied changes nothing', async () => {
      const dave = await customer('dave');
      const earlier = await dave.product.getApp(OAUTH_APP);
      const { popup, outcome } = await dave.product.connectByPopup(OAUTH_APP);
      const back = popup.waitForRequest((request) => request.url().startsWith(lab.evergrant.callback(OAUTH_APP)));
      await deny(popup, dave.account);
      assert.equal(new URL((await back).url()).searchParams.get('error'), 'access_denied');
      await closeAfterReading(popup);
      assert.deepEqual(await outcome, { value: false });
      assert.deepEqual(await dave.product.getApp(OAUTH_APP), earlier);
      assert.deepEqual(told(dave.account), [0, 0, 0]);
    });

    test('a popup that is closed ends in false', async () => {
      const erin = await customer('erin');
      const { popup, outcome } = await erin.product.connectByPopup(OAUTH_APP);
      await popup.waitForLoadState();
      await popup.close();
      assert.deepEqual(await outcome, { value: false });
      assert.equal((await erin.product.getApp(OAUTH_APP)).connected, undefined);
    });

    test('a callback in another browser than the one that started is refused', async () => {
      const frank = await customer('frank');
      const authorize = await startedElsewhere(await lab.evergrant.oauthUrl(frank.account, OAUTH_APP));
      const victim = await (await browser.newContext()).newPage();
      const back = victim.waitForResponse((response) => response.url().startsWith(lab.evergrant.callback(OAUTH_APP)));
      await victim.goto(authorize);
      await consent(victim, 'victim');
      const status = (await back).status();
      assert(status >= 400 && status < 500, `the callback answered ${status}`);
      assert.equal((await frank.product.getApp(OAUTH_APP)).connected, undefined);
      assert.equal(await lab.oidc.liveRefreshTokens('victim'), 0, 'the code was not exchanged');
    });

    test('a callback that is opened again is refused and harms nothing', async () => {
      const grace = await customer('grace');
      const { popup, outcome } = await grace.product.connectByPopup(OAUTH_APP);
      const first = popup.waitForRequest((request) => request.url().startsWith(lab.evergrant.callback(OAUTH_APP)));
      await consent(popup, grace.account);
      const address = (await first).url();
      assert.deepEqual(await outcome, { value: true });
      const again = await (await grace.context.newPage()).goto(address);
      assert(again && again.status() >= 400 && again.status() < 500, `the replay answered ${again?.status()}`);
      const id = await lab.evergrant.connectionId(grace.account, OAUTH_APP);
      await lab.evergrant.check(id);
      assert.deepEqual(health(await grace.product.getApp(OAUTH_APP)), HEALTHY);
    });

    test('preflights pass without credentials, and a page can read every refusal', async () => {
      const heidi = await customer('heidi');
      const { product } = heidi;
      lab.keyed.issue(`key-of-heidi-on-${engine}`, 'heidi');
      await product.connectByKey(KEYED_APP, { api_key: `key-of-heidi-on-${engine}` });
      await product.disconnect(KEYED_APP);
      const base = `${lab.evergrant.origin}/api/v2/f-sdk/application`;
      const unknown = await product.fetchJson(`${base}/no-such-application`, {
        authorization: `Bearer ${await lab.evergrant.sessionToken(heidi.account)}`,
      });
      assert.equal(unknown.status, 404);
      assert.equal(typeof unknown.body.message, 'string');
      const stranger = await product.fetchJson(base, { authorization: 'Bearer not-a-token' });
      assert.equal(stranger.status, 401);
      assert.equal(stranger.body.message, 'Invalid token');
      // Some teams call with the API key straight from a page; and newer clients send three headers more.
      const listed = await product.fetchJson(`${lab.evergrant.origin}/api/v2/public/application`, {
        'x-api-key': lab.evergrant.key,
        'content-type': 'application/json',
        linked_account_id: heidi.account,
        slug: KEYED_APP,
        sync_execution: 'true',
        config_id: 'any',
      });
      assert.equal(listed.status, 200);
      assert(Array.isArray(listed.body));

      for (const path of [
        `/api/v2/f-sdk/application/${KEYED_APP}`,
        `/api/v2/app/${KEYED_APP}/save`,
        `/api/v1/linked-acc/integration/${KEYED_APP}`,
        '/api/v2/f-sdk/application/no-such-application',
        '/api/v2/public/application',
      ]) {
        const seen = await eventually(`a preflight of ${path}`, async () => product.preflights.find((preflight) => preflight.path === path));
        assert(seen.status === 200 || seen.status === 204, `the preflight of ${path} answered ${seen.status}`);
      }
    });
  });
}

/**
 * Opens Evergrant's start page in a browser that is never seen again and returns the provider's address it leads to.
 * @param {string} start
 */
async function startedElsewhere(start) {
  const answer = await fetch(start, { redirect: 'manual' });
  const authorize = answer.headers.get('location');
  assert(authorize, `the start page answered ${answer.status} without leading anywhere`);
  return authorize;
}

/**
 * The page after a refusal either closes its window or is one that a person can read; then the person closes it.
 * @param {import('playwright-core').Page} popup
 */
async function closeAfterReading(popup) {
  await popup.getByRole('heading').waitFor().catch(() => {});
  const text = await popup.locator('body').innerText().catch(() => '');
  if (popup.isClosed()) return;
  assert.match(text, /\w+ \w+/, 'the page says something');
  await popup.close();
}
