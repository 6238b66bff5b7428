// Two nodes on one PostgreSQL, against a provider that ends a grant when a refresh token is used twice.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startBrowser } from './support/browser.mjs';
import { Lab, OAUTH_APP } from './support/lab.mjs';
import { eventually } from './support/net.mjs';
import { consent } from './support/oidc.mjs';

/** @typedef {import('./support/evergrant.mjs').Evergrant} Evergrant */

const CALLERS = 100;
/** How long a node's lease lasts where the test waits for its end, in milliseconds. */
const SHORT_LEASE = '3000';

describe('two nodes on postgres', () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {Lab} */
  let lab;
  before(async () => {
    browser = await startBrowser();
    lab = await Lab.start('postgres');
  });
  after(async () => {
    await lab?.close();
    await browser?.close();
  });

  /** A connection of a new customer, consented to by clicks. @param {string} name */
  async function connected(name) {
    const customer = await lab.customer(browser, name);
    const { popup, outcome } = await customer.product.connectByPopup(OAUTH_APP);
    await consent(popup, name);
    assert.deepEqual(await outcome, { value: true });
    await customer.context.close();
    return lab.evergrant.connectionId(name, OAUTH_APP);
  }

  /** @param {Evergrant} node @param {string} id */
  const check = (node, id) => node.api('POST', `/api/v2/public/connection/${id}/check`);

  /**
   * So many callers at once, over both nodes: every third one calls through the proxy, asks for a credential, or has the
   * connection checked. Each has to get what it asks for.
   * @param {Evergrant[]} nodes @param {{ id: string, account: string }} customer @param {number} count
   */
  function crowd(nodes, { id, account }, count = CALLERS) {
    const kinds = [
      async (/** @type {Evergrant} */ node) => {
        const answer = await node.api('GET', `/api/v2/public/proxy/${OAUTH_APP}/me`, { account });
        assert.equal(answer.sub, account);
        return 'proxy';
      },
      async (/** @type {Evergrant} */ node) => {
        const { values } = await node.api('GET', `/api/v2/public/connection/${id}/credential`);
        return values.access_token;
      },
      async (/** @type {Evergrant} */ node) => {
        const { connection } = await check(node, id);
        assert.equal(connection.status, 'active');
        return 'check';
      },
    ];
    const callers = Array.from({ length: count }, (_, at) => kinds[at % kinds.length]?.(/** @type {Evergrant} */ (nodes[(at >> 1) % nodes.length])));
    return Promise.allSettled(callers);
  }

  /** @param {PromiseSettledResult<any>[]} answers */
  function allAnswered(answers) {
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
    return answers.map((answer) => answer.status === 'fulfilled' ? answer.value : undefined);
  }

  /** The grant lives, and no refresh token was ever used twice. @param {string} account */
  function unharmed(account) {
    assert.equal(lab.oidc.counts.replays, 0, 'no refresh token was used twice');
    assert.equal(lab.oidc.liveRefreshTokens(account), 1);
  }

  /** Waits until no lease is held on a connection. @param {string} id */
  const leaseOver = (id) => eventually('the lease of the dead node has lapsed', async () => (
    await lab.evergrant.psql(`SELECT 1 FROM connections WHERE id = '${id}' AND lease_until > extract(epoch FROM now()) * 1000`) === '' || undefined
  ));

  /**
   * Has a node refresh a connection, and kills it at a step, with callers of its own waiting.
   * @param {string} id @param {string} step
   */
  async function killedAt(id, step) {
    const doomed = await lab.evergrant.another({ EVERGRANT_DEBUG_STOP_AT: step, EVERGRANT_DEBUG_LEASE_MS: SHORT_LEASE });
    const lost = Promise.allSettled(Array.from({ length: 5 }, () => doomed.api('POST', `/api/v2/public/connection/${id}/refresh`)));
    await eventually(`the doomed node stands at ${step}`, async () => doomed.log.includes(step) || undefined);
    await doomed.kill();
    assert((await lost).every(({ status }) => status === 'rejected'), 'its callers died with it');
  }

  for (const knows of [true, false]) {
    const what = knows ? 'that has ended' : 'that the provider has withdrawn';
    test(`${CALLERS} callers at once on a token ${what} cause one refresh, and each gets an answer`, async () => {
      const account = knows ? 'crowd' : 'crowd-surprised';
      const other = await lab.evergrant.another();
      try {
        const id = await connected(account);
        const before = (await lab.evergrant.api('GET', `/api/v2/public/connection/${id}/credential`)).values.access_token;
        lab.oidc.expireAccessTokens(account);
        if (knows) await lab.evergrant.psql(`UPDATE connections SET expires_at = connected_at WHERE id = '${id}'`);
        const { refreshes, refusedRefreshes } = lab.oidc.counts;
        lab.oidc.setTokenDelay(1000); // so that they overlap for certain
        const answers = allAnswered(await crowd([lab.evergrant, other], { id, account }));
        assert.equal(lab.oidc.counts.refreshes - refreshes, 1);
        assert.equal(lab.oidc.counts.refusedRefreshes, refusedRefreshes);
        unharmed(account);
        if (knows) assert(!answers.includes(before), 'nobody was handed the token that has ended');
        assert.equal((await lab.evergrant.connection(id)).status, 'active');
        for (const secret of lab.oidc.secrets()) other.secrets.add(secret);
      } finally {
        lab.oidc.setTokenDelay(0);
        await other.stop();
      }
    });
  }

  test('a node that is killed once its reply is committed loses no grant', async () => {
    const id = await connected('survivor');
    const { refreshes } = lab.oidc.counts;
    await killedAt(id, 'refresh.committed');
    assert.equal(lab.oidc.counts.refreshes - refreshes, 1);
    // Nothing is left to wait for: the lease ended with the commit.
    allAnswered(await crowd([lab.evergrant], { id, account: 'survivor' }, 12));
    assert.equal(lab.oidc.counts.refreshes - refreshes, 1, 'the committed token is good');
    const again = await lab.evergrant.api('POST', `/api/v2/public/connection/${id}/refresh`);
    assert.equal(again.outcome, 'renewed');
    assert.equal(again.connection.status, 'active');
    assert.equal(lab.oidc.counts.refreshes - refreshes, 2);
    unharmed('survivor');
  });

  test('a node that is killed before it has sent anything leaves the grant to the other one', async () => {
    const id = await connected('left-alone');
    const { refreshes } = lab.oidc.counts;
    await killedAt(id, 'refresh.before_send');
    await leaseOver(id);
    const next = await lab.evergrant.api('POST', `/api/v2/public/connection/${id}/refresh`);
    assert.equal(next.outcome, 'renewed');
    assert.equal(next.connection.status, 'active');
    assert.equal(lab.oidc.counts.refreshes - refreshes, 1);
    allAnswered(await crowd([lab.evergrant], { id, account: 'left-alone' }, 12));
    unharmed('left-alone');
  });

  test('a node that is killed while the provider holds its request leaves the grant to the other one', async () => {
    const id = await connected('held');
    const { refreshes } = lab.oidc.counts;
    const doomed = await lab.evergrant.another({ EVERGRANT_DEBUG_LEASE_MS: SHORT_LEASE });
    const { waiting } = lab.oidc.counts;
    lab.oidc.setTokenDelay(2000);
    const lost = Promise.allSettled([doomed.api('POST', `/api/v2/public/connection/${id}/refresh`)]);
    await eventually('the request is at the provider', async () => lab.oidc.counts.waiting > waiting || undefined);
    await doomed.kill();
    await lost;
    lab.oidc.setTokenDelay(0);
    await leaseOver(id);
    allAnswered(await crowd([lab.evergrant], { id, account: 'held' }, 12));
    const next = await lab.evergrant.api('POST', `/api/v2/public/connection/${id}/refresh`);
    assert.equal(next.connection.status, 'active');
    assert.equal(lab.oidc.counts.refreshes - refreshes, 1, 'what was held was never worked on');
    unharmed('held');
  });

  test('a node that is killed with a rotated token in its hands loses what no client can keep, and the evidence says how', async () => {
    const id = await connected('unlucky');
    const { replays } = lab.oidc.counts;
    await killedAt(id, 'refresh.replied');
    assert.equal((await lab.evergrant.connection(id)).status, 'active', 'nobody is flagged for a dead node');
    await leaseOver(id);
    await lab.evergrant.api('POST', `/api/v2/public/connection/${id}/refresh`);
    const flagged = await lab.evergrant.connection(id);
    assert.equal(flagged.status, 'reauth_required');
    assert.match(flagged.evidence.words, /reply was lost/);
    assert.equal(lab.oidc.counts.replays - replays, 1, 'the one try that is left');
    assert.equal(lab.oidc.liveRefreshTokens('unlucky'), 0, 'it is dead there, too');
  });
});
