// The newcomer's story: `evergrant demo`, opened at the address that it prints, with clicks and one curl line only.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { accessible } from './support/axe.mjs';
import { startBrowser } from './support/browser.mjs';
import { Card, Demo, webhooksShown } from './support/demo.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { browser = await startBrowser(); });
after(() => browser.close());

describe('the demo', () => {
  /** @type {Demo} */
  let demo;
  before(async () => { demo = await Demo.start(); });
  after(async () => {
    const took = await demo.stop(); // pages are still open, and still asking
    assert(took < 2_000, `Ctrl-C took ${took} ms`);
  });

  /** Opens the page as somebody new; scripts that fail make the test fail. */
  async function newcomer() {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(15_000);
    page.on('pageerror', (error) => assert.fail(`a script of the page failed: ${error.message}`));
    await page.goto(demo.page);
    return { page, crm: new Card(page, 'sandbox-oauth'), sms: new Card(page, 'sandbox-key') };
  }

  test('the OAuth application: connected, broken in four ways, and repaired under the same id', async () => {
    const { page, crm } = await newcomer();
    await crm.shows('none');

    await accessible(page, 'the demo');
    const refused = await crm.popup('Connect');
    await accessible(refused, 'the consent of the sandbox');
    await refused.getByRole('button', { name: 'Deny' }).click();
    await refused.getByText('Access was not granted, so nothing has changed').waitFor();
    await refused.close();
    await crm.says('The window was closed; nothing has changed.');
    await crm.shows('none');

    await crm.consent('Connect');
    await crm.shows('active');
    await crm.press('Use it now');
    await crm.says('It works.');
    await accessible(page, 'the demo, connected');
    const id = await crm.id();
    assert.match(id, /^[0-9a-f]{24}$/);
    await webhooksShown(page, { event: 'Connection Created', slug: 'sandbox-oauth', count: 1 });

    let expired = 0;
    for (const [cause, reason] of /** @type {const} */ ([
      ['token_revoked', 'token_revoked'],
      ['refresh_token_expired', 'refresh_token_expired'],
      ['app_uninstalled', 'app_uninstalled'],
    ])) {
      await crm.break(cause);
      await crm.isFlagged(reason);
      if (expired === 0) await accessible(page, 'the demo, broken');
      expired += 1;
      await webhooksShown(page, { event: 'Connection Expired', slug: 'sandbox-oauth', count: expired });
      await crm.consent('Reconnect');
      await crm.shows('active');
      await crm.says('same id as before');
      assert.equal(await crm.id(), id);
      await crm.press('Use it now');
      await crm.says('It works.');
    }

    // A client that is gone heals by itself once it is back: nobody has to consent again.
    await crm.break('client_deleted');
    await crm.isFlagged('oauth_app_deleted');
    await webhooksShown(page, { event: 'Connection Expired', slug: 'sandbox-oauth', count: expired + 1 });
    await crm.root.locator('[data-repair="client_deleted"]').click();
    await crm.says('Mended at the provider.');
    await crm.press('Use it now');
    await crm.shows('active');
    assert.equal(await crm.id(), id);
    await webhooksShown(page, { event: 'Connection Created', slug: 'sandbox-oauth', count: 1 });
  });

  test('the key-based application: connected, broken by a click and by the printed line, and repaired', async () => {
    const { page, sms } = await newcomer();
    await sms.shows('none');
    await sms.sendKey('Connect');
    await sms.shows('active');
    const id = await sms.id();

    await sms.break('key_expired');
    await sms.isFlagged('api_key_invalid');
    await webhooksShown(page, { event: 'Connection Expired', slug: 'sandbox-key', count: 1 });
    await sms.sendKey('Reconnect');
    await sms.shows('active');
    await sms.says('same id as before');
    assert.equal(await sms.id(), id);

    const line = await sms.curlLine('app_uninstalled');
    assert.match(line, /^curl -X POST 127\.0\.0\.1:\d+\/demo\/break\/sandbox-key\/app_uninstalled$/);
    const { stdout } = await promisify(execFile)('bash', ['-c', `${line} --silent --show-error`]);
    assert.deepEqual(JSON.parse(stdout), { broken: { clients: 0, grants: 0, keys: 1 } });
    await sms.isFlagged('app_uninstalled');
    await webhooksShown(page, { event: 'Connection Expired', slug: 'sandbox-key', count: 2 });
    await sms.sendKey('Reconnect');
    await sms.shows('active');
    assert.equal(await sms.id(), id);
  });

  test('the hosted page repairs, too, and leads back', async () => {
    const { page, sms } = await newcomer();
    await sms.shows('active');
    await sms.break('key_expired');
    await sms.isFlagged('api_key_invalid');
    const id = await sms.id();

    const [hosted] = await Promise.all([
      page.waitForEvent('popup'),
      page.getByRole('link', { name: 'Open the hosted page' }).click(),
    ]);
    await hosted.getByText('Sandbox SMS no longer accepts the key.').waitFor();
    assert.equal(new URL(hosted.url()).pathname, '/connect', 'no token stays in the address');
    await hosted.getByRole('link', { name: 'Reconnect Sandbox SMS' }).click();
    await hosted.getByLabel('API key').fill('not-a-key');
    await hosted.getByRole('button', { name: 'Reconnect' }).click();
    await hosted.getByRole('alert').waitFor();
    const { key } = await (await fetch(new URL('/demo/key', demo.page), { method: 'POST' })).json();
    await hosted.getByLabel('API key').fill(key);
    await hosted.getByRole('button', { name: 'Reconnect' }).click();
    await hosted.getByText('Sandbox SMS is connected.').waitFor();
    await hosted.getByRole('link', { name: 'Return to 127.0.0.1' }).click();
    await new Card(hosted, 'sandbox-key').shows('active');
    assert.equal(await new Card(hosted, 'sandbox-key').id(), id);
  });

  test('a second demo takes other ports and leaves the first alone', async () => {
    const second = await Demo.start({ listen: demo.listen, folder: demo.folder });
    try {
      assert.notEqual(second.page, demo.page);
      assert.match(second.printed, /cannot be used here/);
      const list = async (/** @type {Demo} */ which) => (await fetch(new URL('/demo/webhooks', which.page))).json();
      assert.deepEqual(await list(second), { webhooks: [] }, 'it begins afresh');
      assert((await list(demo)).webhooks.length > 0);
    } finally {
      await second.stop();
    }
    const { sms } = await newcomer();
    await sms.press('Use it now');
    await sms.says('It works.');
  });

  test('the page of the API can be read by all', async () => {
    const { page } = await newcomer();
    await page.goto(`http://${demo.listen}/docs`);
    await accessible(page, '/docs');
  });

  test('the whole page can be used from the keyboard', async () => {
    const { page, sms } = await newcomer();
    await sms.shows('active');
    const use = sms.root.getByRole('button', { name: 'Use it now' });
    await use.focus();
    await page.keyboard.press('Enter');
    await sms.says('It works.');
    await page.keyboard.press('Tab'); // the focus has come back to the button that was pressed
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Disconnect');
  });
});
