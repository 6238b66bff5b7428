// The React components in a real browser, as examples/react uses them, on React 18 and on React 19.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, afterEach, before, describe, test } from 'node:test';
import { startBrowser } from './support/browser.mjs';
import { buildReact, openExample } from './support/examples.mjs';
import { KEYED_APP, Lab, OAUTH_APP } from './support/lab.mjs';
import { consent, deny } from './support/oidc.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {{ violations: { id: string, nodes: { html: string }[] }[] }} AxeResults */

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Asserts that axe-core finds nothing, in light and in dark. @param {Page} page */
async function accessible(page) {
  if (!(await page.evaluate('typeof axe === "object"'))) await page.evaluate(await readFile(AXE, 'utf8'));
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const { violations } = /** @type {AxeResults} */ (await page.evaluate('axe.run(document)'));
    assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], `axe-core, ${colorScheme}`);
  }
}

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {Lab} */
let lab;
before(async () => {
  browser = await startBrowser({ blocksPopups: true });
  lab = await Lab.start('sqlite');
});
after(async () => {
  await browser?.close();
  await lab?.close();
});
afterEach(async () => { await Promise.all(browser.contexts().map((context) => context.close())); });

for (const react of /** @type {const} */ ([19, 18])) {
  describe(`on React ${react}`, () => {
    /** @type {Awaited<ReturnType<typeof buildReact>>} */ let built;
    before(async () => { built = await buildReact(react); });
    after(async () => { await built?.remove(); });

    /** @param {string} name @param {string} [path] */
    const open = async (name, path) => openExample(lab, await browser.newContext(), { account: `${name}-${react}`, folder: built.folder, path });

    /** @param {Page} page @param {string} name @param {(popup: Page) => Promise<void>} act */
    async function inPopup(page, name, act) {
      const [popup] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name, exact: true }).click()]);
      await Promise.all([popup.waitForEvent('close'), act(popup)]);
    }

    test('from the list to connected, and back to never connected', async () => {
      const { page, account } = await open('rae');
      await page.getByRole('button', { name: /^OIDC Lab/ }).waitFor();
      await accessible(page);
      await page.getByLabel('Search applications').fill('no such thing');
      await page.getByText('No application matches.').waitFor();
      await page.getByLabel('Search applications').fill('oidc');
      await page.getByRole('button', { name: /^OIDC Lab/ }).click();
      await page.getByRole('heading', { name: 'OIDC Lab' }).waitFor();
      await accessible(page);
      await inPopup(page, 'Connect', (popup) => deny(popup, account));
      await status(page, /was not connected. Nothing has changed/);
      await inPopup(page, 'Connect', (popup) => consent(popup, account));
      await status(page, 'OIDC Lab is connected.');
      await page.getByText('Connected', { exact: true }).waitFor();
      await accessible(page);

      await page.getByRole('button', { name: 'Disconnect' }).click();
      const question = page.getByRole('group', { name: 'Disconnect OIDC Lab?' });
      assert.equal(await question.getByRole('button', { name: 'Keep it' }).evaluate((button) => button === document.activeElement), true);
      await accessible(page);
      await question.getByRole('button', { name: 'Disconnect' }).click();
      await status(page, 'OIDC Lab is disconnected.');
      await page.getByRole('button', { name: 'Connect', exact: true }).waitFor();
    });

    test('the reconnect button is there exactly when it is needed', async () => {
      const { page, account } = await open('sid', `/?used=${OAUTH_APP}&only=${OAUTH_APP}`);
      const button = page.getByRole('button', { name: 'Reconnect OIDC Lab' });
      await inPopup(page, 'Connect', (popup) => consent(popup, account));
      await status(page, 'OIDC Lab is connected.');
      assert.equal(await button.count(), 0);
      assert.equal(await page.locator('.eg-reconnect').count(), 0);

      const id = await lab.evergrant.connectionId(account, OAUTH_APP);
      lab.oidc.revokeGrant(account);
      await lab.evergrant.check(id);
      await page.evaluate(() => { document.dispatchEvent(new Event('visibilitychange')); });
      await button.waitFor();
      await page.getByText('Access to OIDC Lab has ended.').waitFor();
      await accessible(page);

      await inPopup(page, 'Reconnect OIDC Lab', (popup) => deny(popup, account));
      await page.locator('.eg-reconnect').getByText('Nothing has changed').waitFor();
      const [popup] = await Promise.all([page.waitForEvent('popup'), button.click()]);
      const waiting = page.locator('.eg-reconnect button');
      assert.equal(await waiting.innerText(), 'Waiting for OIDC Lab…');
      assert.equal(await waiting.isDisabled(), true);
      await Promise.all([popup.waitForEvent('close'), consent(popup, account)]);
      await page.locator('.eg-reconnect').getByText('OIDC Lab is connected.').waitFor();
      assert.equal(await page.locator('.eg-reconnect button').count(), 0);
      await page.locator('.eg-application[data-status="active"]').waitFor(); // the other component knows it, too
      await accessible(page);
      assert.equal(await lab.evergrant.connectionId(account, OAUTH_APP), id);
      await page.reload();
      await page.locator('.eg-application[data-status="active"]').waitFor();
      assert.equal(await page.locator('.eg-reconnect').count(), 0);
    });

    test('a key form says why a key is refused, and asks for another when it dies', async () => {
      const { page, account } = await open('tom', `/?used=${KEYED_APP}&only=${KEYED_APP}`);
      const field = page.getByLabel('API key');
      await field.fill('wrong-key-of-tom');
      await page.getByRole('button', { name: 'Connect' }).click();
      await status(page, /Failed to verify credentials/);
      await accessible(page);
      const [key, next] = [`good-key-of-${account}`, `next-key-of-${account}`];
      lab.keyed.issue(key, 'tom');
      lab.keyed.issue(next, 'tom');
      await field.fill(key);
      await page.getByRole('button', { name: 'Connect' }).click();
      await status(page, 'Keyed Lab is connected.');
      assert.equal(await field.count(), 0, 'no secret stays on the screen');

      lab.keyed.revoke(key);
      await lab.evergrant.check(await lab.evergrant.connectionId(account, KEYED_APP));
      await page.evaluate(() => { document.dispatchEvent(new Event('visibilitychange')); });
      await page.getByRole('button', { name: 'Reconnect Keyed Lab' }).click();
      const form = page.locator('.eg-reconnect form');
      assert.equal(await form.getByLabel('API key').inputValue(), '');
      await form.getByLabel('API key').fill(next);
      await form.getByRole('button', { name: 'Reconnect' }).click();
      await page.locator('.eg-reconnect').getByText('Keyed Lab is connected.').waitFor();
      await page.locator('.eg-application[data-status="active"]').waitFor();
    });

    test('where no window may open the page itself goes, and says how it ended', async () => {
      const { page, account, origin } = await open('uma');
      await page.getByRole('button', { name: /^OIDC Lab/ }).click();
      await page.evaluate(() => {
        document.addEventListener('click', () => { window.open('about:blank')?.close(); }, { capture: true });
      });
      await page.getByRole('button', { name: 'Connect', exact: true }).click();
      await consent(page, account);
      await page.waitForURL(`${origin}/`);
      await status(page, 'OIDC Lab is connected.');
    });
  });
}

/** What the live region of an application says. @param {Page} page @param {string | RegExp} text */
async function status(page, text) {
  await page.locator('.eg-application').getByRole('status').filter({ hasText: text }).waitFor();
}
