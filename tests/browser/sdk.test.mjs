// Our own SDK in a real browser: examples/plain as a customer uses it, and each way in which a consent can end.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { accessible } from './support/axe.mjs';
import { startBrowser, startWithoutStorage } from './support/browser.mjs';
import { openExample, SdkPage, startOriginal } from './support/examples.mjs';
import { KEYED_APP, Lab, OAUTH_APP } from './support/lab.mjs';
import { eventually } from './support/net.mjs';
import { CLIENT, consent, deny, reachConsent } from './support/oidc.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** So long that no poll comes to anybody's help. */
const NEVER = 500_000;

/** One application's card in examples/plain. */
class Card {
  /** @param {Page} page @param {string} slug */
  constructor(page, slug) {
    this.page = page;
    this.selector = `article[data-slug="${slug}"]`;
    this.root = page.locator(this.selector);
  }

  /** @param {string} name */
  press(name) { return this.root.getByRole('button', { name, exact: true }).click(); }

  /** @param {string} name */
  async popup(name) {
    const [popup] = await Promise.all([this.page.waitForEvent('popup'), this.press(name)]);
    return popup;
  }

  /** @param {'none' | 'active' | 'expired'} status */
  shows(status) { return this.page.locator(`${this.selector}[data-status="${status}"]`).waitFor(); }

  /** What the page tells, as soon as it does. @param {RegExp} text */
  told(text) { return this.page.getByRole('status').filter({ hasText: text }).waitFor(); }
}

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { browser = await startBrowser({ blocksPopups: true }); });
after(async () => { await browser?.close(); });
afterEach(async () => { await Promise.all(browser.contexts().map((context) => context.close())); });

for (const engine of /** @type {const} */ (['sqlite', 'postgres'])) {
  describe(`examples/plain on ${engine}`, () => {
    /** @type {Lab} */ let lab;
    before(async () => { lab = await Lab.start(engine); });
    after(async () => { await lab?.close(); });

    /** @param {string} name @param {{ register?: boolean }} [options] */
    const open = async (name, options) => openExample(lab, await browser.newContext(), { account: `${name}-${engine}`, ...options });

    test('connect, expire, reconnect in place, disconnect', async () => {
      const { page, account } = await open('amy');
      const card = new Card(page, OAUTH_APP);
      await accessible(page, 'the plain example');
      const popup = await card.popup('Connect');
      await Promise.all([popup.waitForEvent('close'), consent(popup, account)]);
      await card.told(/connected\.$/);
      await card.shows('active');
      await accessible(page, 'the plain example, connected');
      const id = await lab.evergrant.connectionId(account, OAUTH_APP);

      lab.oidc.revokeGrant(account);
      await lab.evergrant.check(id);
      await comesBack(page); // the page looks when the customer does
      await card.shows('expired');
      await accessible(page, 'the plain example, expired');
      const again = await card.popup('Reconnect');
      await Promise.all([again.waitForEvent('close'), consent(again, account)]);
      await card.shows('active');
      assert.equal(await lab.evergrant.connectionId(account, OAUTH_APP), id);

      await card.press('Disconnect');
      await card.told(/disconnected\.$/);
      await card.shows('none');
    });

    test('a customer who declines, or closes the window, has changed nothing', async () => {
      const { page, account } = await open('bea');
      const card = new Card(page, OAUTH_APP);
      const popup = await card.popup('Connect');
      await Promise.all([popup.waitForEvent('close'), deny(popup, account)]);
      await card.told(/nothing has changed/);
      await card.shows('none');
      assert.equal(await card.root.getByRole('button', { name: 'Connect' }).evaluate((button) => button === document.activeElement), true, 'the focus is where it was');
      const second = await card.popup('Connect');
      await reachConsent(second, account);
      await second.close();
      await card.told(/nothing has changed/);
      await card.shows('none');
    });

    test('a refused key says why, and a good one connects', async () => {
      const { page, account } = await open('cleo');
      const card = new Card(page, KEYED_APP);
      const field = await card.root.getByLabel('API key').elementHandle();
      await card.root.getByLabel('API key').fill('wrong-key-of-cleo');
      await card.press('Connect');
      await card.told(/Failed to verify credentials/);
      await card.shows('none');
      const key = `good-key-of-${account}`;
      lab.keyed.issue(key, 'cleo');
      await card.root.getByLabel('API key').fill(key);
      await card.press('Connect');
      await card.told(/connected\.$/);
      await card.shows('active');
      assert.equal(await field?.evaluate((input) => input.isConnected), true, 'the page looks after each try, and loses nothing that is being typed');
      assert.equal(await card.root.locator('input').inputValue(), '', 'no secret stays in the page');
    });

    test('what somebody is typing stays when the application changes meanwhile', async () => {
      const { page, account } = await open('kit');
      const card = new Card(page, KEYED_APP);
      await card.root.getByLabel('API key').fill('half-a-key-of-k');
      const elsewhere = `key-elsewhere-of-${account}`;
      lab.keyed.issue(elsewhere, 'kit');
      await lab.saveKey(account, elsewhere); // in another tab; and it dies at once
      lab.keyed.revoke(elsewhere);
      await lab.evergrant.check(await lab.evergrant.connectionId(account, KEYED_APP));
      await comesBack(page);
      await card.shows('expired');
      assert.equal(await card.root.getByLabel('API key').inputValue(), 'half-a-key-of-k');
      assert.equal(await card.root.getByLabel('API key').evaluate((input) => input === document.activeElement), true);
      await card.root.getByRole('button', { name: 'Reconnect' }).waitFor();
    });

    test('where no window may open the page itself goes, and comes back', async () => {
      const { page, account, origin } = await open('dora');
      const card = new Card(page, OAUTH_APP);
      for (const [decide, status, text] of /** @type {const} */ ([[deny, 'none', /not connected/], [consent, 'active', /oidc-lab: connected/]])) {
        await blockWindows(page);
        await card.press('Connect');
        await decide(page, account);
        await page.waitForURL(`${origin}/`); // with nothing of ours left in the address
        await card.told(text);
        await card.shows(status);
      }
    });

    test('where the page could not be returned to it says that the window was blocked', async () => {
      await lab.evergrant.api('PUT', '/api/v2/public/environment/origins', { body: { return_origins: [] } });
      const { page, origin } = await open('elsa', { register: false });
      const card = new Card(page, OAUTH_APP);
      await blockWindows(page);
      await card.press('Connect');
      await card.told(/blocked the window/);
      assert.equal(page.url(), `${origin}/`);
    });
  });
}

describe('every end of a consent', () => {
  /** @type {Lab} */ let lab;
  /** @type {Awaited<ReturnType<typeof startOriginal>>} */ let original;
  before(async () => {
    lab = await Lab.start('sqlite');
    original = await startOriginal(lab.evergrant.origin);
  });
  after(async () => {
    await original?.close();
    await lab?.close();
  });
  afterEach(() => {
    assert.deepEqual([...original.state.undocumented], [], 'only routes that the original product documents');
    Object.assign(original.state, { failures: 0, cut: false, polls: 0, failed: 0 });
  });

  /**
   * @param {string} account
   * @param {{ context?: import('playwright-core').BrowserContext, baseUrl?: string, pollMs?: number, timeoutMs?: number, renewed?: string }} [options]
   */
  async function client(account, { context, baseUrl, ...options } = {}) {
    const { page } = await openExample(lab, context ?? await browser.newContext(), { account });
    const token = await lab.evergrant.sessionToken(account);
    const module = `${lab.evergrant.origin}/sdk/evergrant.js`;
    return { account, token, page, sdk: await SdkPage.on(page, { module, token, baseUrl: baseUrl ?? lab.evergrant.origin, ...options }) };
  }

  test('the message of the callback page alone tells it', async () => {
    const { sdk, account } = await client('fay', { pollMs: NEVER });
    const popup = await sdk.connect(OAUTH_APP);
    await Promise.all([popup.waitForEvent('close'), consent(popup, account)]);
    assert.deepEqual(await sdk.outcome(), { value: true });
    const second = await sdk.connect(OAUTH_APP);
    await Promise.all([second.waitForEvent('close'), deny(second, account)]);
    assert.deepEqual(await sdk.outcome(1), { value: false }, 'a healthy connection and no new consent');
    assert.equal((await sdk.getApp(OAUTH_APP)).connected, true);
  });

  test('everything that is documented works with the original product\'s documented routes alone', async () => {
    const { sdk, page, account } = await client('ora', { baseUrl: original.origin, pollMs: 300 });
    const call = (/** @type {string} */ what) => page.evaluate(`lab.evergrant.${what}`);
    assert((/** @type {any[]} */ (await call('getApps()'))).some(({ slug }) => slug === KEYED_APP));
    assert((/** @type {any[]} */ (await call('getApp()'))).length > 5);
    assert.equal((/** @type {any} */ (await call('getAccountDetails()'))).linked_account_id, account);
    assert.equal((/** @type {any} */ (await call(`config({ slug: '${OAUTH_APP}', labels: [] })`))).slug, OAUTH_APP);
    const key = `key-of-${account}`;
    lab.keyed.issue(key, 'ora');
    assert.equal(await call(`connect('${KEYED_APP}', { api_key: '${key}' })`), true);
    assert.equal(await call(`connect({ slug: '${KEYED_APP}', type: 'keybased', payload: { api_key: '${key}' } })`), true);
    assert.equal(await call(`disconnect('${KEYED_APP}', 'keybased')`), true);
    const popup = await sdk.connect(OAUTH_APP);
    await Promise.all([popup.waitForEvent('close'), consent(popup, account)]);
    assert.deepEqual(await sdk.outcome(), { value: true });
    assert.equal(await call(`disconnect('${OAUTH_APP}')`), true);
    assert.equal((await sdk.getApp(OAUTH_APP)).connected, undefined);
    assert(original.state.seen.size >= 8, [...original.state.seen].join());
  });

  test('another account than before is told by its code, and its window says which one was expected', async () => {
    const { sdk, page, account } = await client('wim', { pollMs: NEVER });
    const first = await sdk.connect(OAUTH_APP);
    await Promise.all([first.waitForEvent('close'), consent(first, account)]);
    const id = await lab.evergrant.connectionId(account, OAUTH_APP);
    await lab.evergrant.expire(id);
    const asAnother = async () => {
      await page.context().clearCookies();
      const popup = await sdk.connect(OAUTH_APP);
      await consent(popup, 'somebody else');
      await popup.getByRole('heading', { name: 'This is another account' }).waitFor();
      return popup;
    };
    const popup = await asAnother();
    assert.deepEqual(await sdk.outcome(1), { error: 'ACCOUNT_MISMATCH' });
    assert(!popup.isClosed(), 'it stays to be read');
    const said = await popup.locator('main').innerText();
    assert(said.includes(account) && said.includes('somebody else'), said);
    await popup.close();
    await lab.evergrant.setPolicy('ask');
    try {
      const kept = await asAnother();
      await Promise.all([kept.waitForEvent('close'), kept.getByRole('button', { name: `Keep ${account}` }).click()]);
      assert.deepEqual(await sdk.outcome(2), { value: false });
      const replaced = await asAnother();
      await Promise.all([replaced.waitForEvent('close'), replaced.getByRole('button', { name: 'Replace it with' }).click()]);
      assert.deepEqual(await sdk.outcome(3), { value: true });
      assert.equal((await lab.evergrant.connection(id)).identifier, 'somebody else');
    } finally {
      await lab.evergrant.setPolicy('refuse');
    }
  });

  test('a failure is told with its code, and its window stays to be read', async () => {
    const { sdk, account } = await client('gia', { pollMs: NEVER });
    const popup = await sdk.connect(OAUTH_APP);
    await reachConsent(popup, account);
    await lab.oidc.changeSecret('another-secret-than-before');
    try {
      await consent(popup, account);
      assert.deepEqual(await sdk.outcome(), { error: 'NO_TOKENS' });
      assert(!popup.isClosed());
      assert.match(await popup.locator('main').innerText(), /Nothing has changed/);
      await accessible(popup, 'a consent without tokens');
    } finally {
      await lab.oidc.changeSecret(CLIENT.secret);
    }
  });

  test('nobody else can tell it', async () => {
    const { sdk, page } = await client('hal', { pollMs: NEVER });
    const begun = page.waitForResponse((response) => response.url().includes('/integrate') && response.request().method() === 'GET');
    const popup = await sdk.connect(OAUTH_APP);
    const { flow } = await (await begun).json();
    assert.match(flow, /^.{20,}$/);
    await popup.waitForURL(/interaction/);
    const forged = { type: 'evergrant:consent', slug: OAUTH_APP, outcome: 'connected', flow }; // even by one who knows the flow
    await page.evaluate((message) => { window.postMessage(message, '*'); }, forged); // another window
    await popup.evaluate((message) => { window.opener.postMessage(message, '*'); }, forged); // another origin
    await popup.close();
    assert.deepEqual(await sdk.outcome(), { value: false });
  });

  test('our origin, too, is heeded for this flow only', async () => {
    const { sdk, account } = await client('ida', { pollMs: NEVER });
    const popup = await sdk.connect(OAUTH_APP);
    await reachConsent(popup, account);
    await popup.goto(`${lab.evergrant.origin}/docs`);
    await popup.evaluate((slug) => {
      for (const flow of [undefined, '', 'another']) window.opener.postMessage({ type: 'evergrant:consent', slug, flow, outcome: 'connected' }, '*');
    }, OAUTH_APP);
    await popup.close();
    assert.deepEqual(await sdk.outcome(), { value: false });
  });

  test('without any message, as with the original product, looking tells it', async () => {
    const { sdk, account } = await client('jan', { baseUrl: original.origin, pollMs: 300 });
    const popup = await sdk.connect(OAUTH_APP);
    await Promise.all([popup.waitForEvent('close'), consent(popup, account)]);
    assert.deepEqual(await sdk.outcome(), { value: true });
    const second = await sdk.connect(OAUTH_APP);
    await reachConsent(second, account);
    await second.close();
    assert.deepEqual(await sdk.outcome(1), { value: false });
  });

  test('a poll that fails is no end, while somebody is there', async () => {
    const { sdk, account } = await client('kim', { baseUrl: original.origin, pollMs: 200 });
    Object.assign(original.state, { failures: 5, cut: true });
    const popup = await sdk.connect(OAUTH_APP);
    await reachConsent(popup, account);
    await eventually('five polls that failed', async () => original.state.failures === 0 || undefined);
    await Promise.all([popup.waitForEvent('close'), consent(popup, account)]);
    assert.deepEqual(await sdk.outcome(), { value: true });
  });

  test('a window that is closed while no answer can be had is an error, not a refusal', async () => {
    const { sdk, account } = await client('lea', { baseUrl: original.origin, pollMs: NEVER });
    original.state.failures = 1_000;
    const popup = await sdk.connect(OAUTH_APP);
    await reachConsent(popup, account);
    await popup.close();
    assert.deepEqual(await sdk.outcome(), { error: 'HTTP_503' });
    assert.equal(original.state.failed, 3);
  });

  test('a session that ends in the middle says so, and the consent still counts', async () => {
    const { sdk, account, token } = await client('mia', { pollMs: 200 });
    const popup = await sdk.connect(OAUTH_APP);
    await reachConsent(popup, account);
    await lab.revokeSession(token);
    assert.deepEqual(await sdk.outcome(), { error: 'SESSION_EXPIRED' });
    assert(!popup.isClosed());
    await consent(popup, account);
    await popup.getByText('is connected').waitFor();
    assert.equal((await lab.evergrant.connection(await lab.evergrant.connectionId(account, OAUTH_APP))).status, 'active');
  });

  test('with a back end that gives another session nobody notices', async () => {
    await lab.evergrant.createAccount('nan-of-old');
    const spent = await lab.evergrant.sessionToken('nan-of-old');
    await lab.revokeSession(spent);
    const { page, account } = await openExample(lab, await browser.newContext(), { account: 'nan' });
    const renewed = await lab.evergrant.sessionToken('nan');
    const sdk = await SdkPage.on(page, { module: `${lab.evergrant.origin}/sdk/evergrant.js`, baseUrl: lab.evergrant.origin, token: spent, renewed });
    const popup = await sdk.connect(OAUTH_APP);
    await Promise.all([popup.waitForEvent('close'), consent(popup, account)]);
    assert.deepEqual(await sdk.outcome(), { value: true });
  });

  test('two clicks share one window, giving up closes it, and there is an end to waiting', async () => {
    const { sdk, page, account } = await client('oda', { timeoutMs: 4_000 });
    const popup = await sdk.connect(OAUTH_APP);
    await page.click('#lab');
    assert.equal(page.context().pages().length, 2);
    await Promise.all([popup.waitForEvent('close'), consent(popup, account)]);
    assert.deepEqual([await sdk.outcome(0), await sdk.outcome(1)], [{ value: true }, { value: true }]);

    const late = await sdk.connect(OAUTH_APP);
    await late.waitForEvent('close');
    assert.deepEqual(await sdk.outcome(2), { error: 'TIMEOUT' });
    const last = await sdk.connect(OAUTH_APP);
    await last.waitForURL(/interaction/);
    await Promise.all([last.waitForEvent('close'), page.evaluate('lab.stop.abort()')]);
    assert.deepEqual(await sdk.outcome(3), { error: 'ABORTED' });
  });

  test('a provider whose pages cut the tie to us has closed no window, as far as we can tell', async () => {
    const { sdk, page, account } = await client('sue', { pollMs: 300 });
    // Elsewhere a page behind another window has no focus; this browser pretends that every page has it.
    await page.evaluate(() => { document.hasFocus = () => false; });
    lab.oidc.setIsolated(true);
    try {
      const popup = await sdk.connect(OAUTH_APP);
      await reachConsent(popup, account);
      assert.equal(await popup.evaluate('window.opener'), null);
      await page.waitForRequest(/f-sdk\/application/); // it goes on looking
      await consent(popup, account);
      assert.deepEqual(await sdk.outcome(), { value: true });
      const second = await sdk.connect(OAUTH_APP);
      await reachConsent(second, account);
      await second.close();
      await page.evaluate(() => { document.hasFocus = () => true; }); // the customer is back
      assert.deepEqual(await sdk.outcome(1), { value: false });
    } finally {
      lab.oidc.setIsolated(false);
    }
  });

  test('two tabs do not end each other, and each learns what happened in the other', async () => {
    const { sdk, page, account } = await client('rex');
    const { page: other } = await openExample(lab, page.context(), { account: 'rex-elsewhere' });
    const token = await lab.evergrant.sessionToken(account);
    const second = await SdkPage.on(other, { module: `${lab.evergrant.origin}/sdk/evergrant.js`, baseUrl: lab.evergrant.origin, token });
    const popups = [await sdk.connect(OAUTH_APP), await second.connect(OAUTH_APP)];
    for (const popup of popups) await Promise.all([popup.waitForEvent('close'), consent(popup, account)]);
    assert.deepEqual([await sdk.outcome(), await second.outcome()], [{ value: true }, { value: true }]);
    await other.evaluate(async (slug) => {
      const { evergrant } = /** @type {any} */ (window).lab;
      Object.assign(window, { told: [] });
      await evergrant.getApp(slug);
      evergrant.onStatusChange(slug, (/** @type {string} */ status) => /** @type {any} */ (window).told.push(status));
    }, OAUTH_APP);
    await page.evaluate(`lab.evergrant.disconnect('${OAUTH_APP}')`);
    await comesBack(other);
    await eventually('the other tab to know', async () => ((await other.evaluate('told.join()')) === 'none') || undefined);
  });

  test('an application that cannot be connected closes the window it did not need', async () => {
    const { sdk } = await client('pia');
    const popup = await sdk.connect('no-such-application');
    if (!popup.isClosed()) await popup.waitForEvent('close');
    assert.deepEqual(await sdk.outcome(), { error: 'EXTERNAL_API_FAILURE' });
  });

  test('keys need no storage; a consent cannot be bound to a browser that has none, and ends in false', async () => {
    const { context, close } = await startWithoutStorage();
    try {
      const { sdk, account, page } = await client('quinn', { context });
      assert.equal(await page.evaluate(() => { try { return String(localStorage); } catch (error) { return /** @type {Error} */ (error).name; } }), 'SecurityError');
      const key = 'good-key-of-quinn';
      lab.keyed.issue(key, 'quinn');
      assert.equal(await page.evaluate(`lab.evergrant.connect('${KEYED_APP}', { api_key: '${key}' })`), true);
      const popup = await sdk.connect(OAUTH_APP);
      await popup.waitForURL(/127\.0\.0\.1/);
      await popup.close();
      assert.deepEqual(await sdk.outcome(), { value: false });
      assert.equal((await sdk.getApp(OAUTH_APP)).connected, undefined, account);
    } finally {
      await close();
    }
  });
});

/** A click that has opened a window opens no second one. @param {Page} page */
async function blockWindows(page) {
  await page.evaluate(() => {
    document.addEventListener('click', () => { window.open('about:blank')?.close(); }, { capture: true });
  });
}

/** The customer comes back to the page from another tab. @param {Page} page */
async function comesBack(page) {
  await page.evaluate(() => { document.dispatchEvent(new Event('visibilitychange')); });
}
