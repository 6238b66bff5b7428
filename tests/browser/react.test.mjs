// The React components in a real browser, as examples/react uses them, on React 18 and on React 19.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { accessible } from './support/axe.mjs';
import { startBrowser } from './support/browser.mjs';
import { RENEWED, buildReact, openExample } from './support/examples.mjs';
import { KEYED_APP, Lab, OAUTH_APP } from './support/lab.mjs';
import { eventually } from './support/net.mjs';
import { CLIENT, consent, deny, reachConsent } from './support/oidc.mjs';

/** @typedef {import('playwright-core').Page} Page */
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
    /** @type {typeof built} */ let renewed;
    before(async () => { [built, renewed] = await Promise.all([buildReact(react), buildReact(react, RENEWED)]); });
    after(async () => { await Promise.all([built?.remove(), renewed?.remove()]); });

    /** @param {string} name @param {string} [path] @param {string} [folder] */
    const open = async (name, path, folder = built.folder) => {
      const context = await browser.newContext();
      await context.addInitScript(countWhatRuns);
      /** What was asked of configurations. @type {unknown[]} */
      const configured = [];
      context.on('request', (request) => {
        if (request.method() === 'POST' && request.url().endsWith('/f-sdk/config')) configured.push(request.postDataJSON());
      });
      const opened = await openExample(lab, context, { account: `${name}-${react}`, folder, path });
      opened.page.on('pageerror', (error) => assert.fail(`the page threw: ${error.message}`));
      return { ...opened, configured };
    };

    /** @param {Page} page @param {string} name @param {(popup: Page) => Promise<void>} act */
    async function inPopup(page, name, act) {
      const [popup] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name, exact: true }).click()]);
      await Promise.all([popup.waitForEvent('close'), act(popup)]);
    }

    test('from the list to connected, and back to never connected', async () => {
      const { page, account } = await open('rae');
      await page.getByRole('button', { name: /^OIDC Lab/ }).waitFor();
      await accessible(page, 'the components');
      await page.getByLabel('Search applications').fill('no such thing');
      await page.getByText('No application matches.').waitFor();
      await page.getByLabel('Search applications').fill('oidc');
      await page.getByRole('button', { name: /^OIDC Lab/ }).click();
      await page.getByRole('heading', { name: 'OIDC Lab' }).waitFor();
      await accessible(page, 'the components');
      await looksAreVariables(page, page.getByRole('button', { name: 'Connect', exact: true }));
      await inPopup(page, 'Connect', (popup) => deny(popup, account));
      await status(page, /was not connected. Nothing has changed/);
      await inPopup(page, 'Connect', (popup) => consent(popup, account));
      await status(page, 'OIDC Lab is connected.');
      await page.getByText('Connected', { exact: true }).waitFor();
      await hasFocus(page.locator('.eg-application').getByRole('status'), 'the button is gone; what became of it has the focus');
      await accessible(page, 'the components');

      await page.getByRole('button', { name: 'Disconnect' }).click();
      const question = page.getByRole('group', { name: 'Disconnect OIDC Lab?' });
      assert.equal(await question.getByRole('button', { name: 'Keep it' }).evaluate((button) => button === document.activeElement), true);
      await accessible(page, 'the components');
      await question.getByRole('button', { name: 'Keep it' }).click();
      await hasFocus(page.getByRole('button', { name: 'Disconnect' }), 'back where the question was asked');
      await page.getByRole('button', { name: 'Disconnect' }).click();
      await question.getByRole('button', { name: 'Disconnect' }).click();
      await status(page, 'OIDC Lab is disconnected.');
      await page.getByRole('button', { name: 'Connect', exact: true }).waitFor();
      await hasFocus(page.locator('.eg-application').getByRole('status'));
      await page.getByRole('button', { name: /All applications/ }).click();
      await hasFocus(page.getByRole('button', { name: /^OIDC Lab/ }), 'back at the application that was left');
    });

    test('the reconnect button is there exactly when it is needed', async () => {
      const { page, account, configured } = await open('sid', `/?used=${OAUTH_APP}&only=${OAUTH_APP}`);
      const button = page.getByRole('button', { name: 'Reconnect OIDC Lab' });
      await page.getByRole('button', { name: 'Connect', exact: true }).waitFor();
      assert.deepEqual(configured, [], 'nothing is connected yet');
      await inPopup(page, 'Connect', (popup) => consent(popup, account));
      await status(page, 'OIDC Lab is connected.');
      const asked = await eventually('the configuration', async () => configured[0]);
      assert.deepEqual(asked, { slug: OAUTH_APP, config_id: 'example', labels: [] });
      assert.equal(await button.count(), 0);
      assert.equal(await page.locator('.eg-reconnect').count(), 0);

      const id = await lab.evergrant.connectionId(account, OAUTH_APP);
      lab.oidc.revokeGrant(account);
      await lab.evergrant.check(id);
      await page.evaluate(() => { document.dispatchEvent(new Event('visibilitychange')); });
      await button.waitFor();
      await page.getByText('Access to OIDC Lab has ended.').waitFor();
      await accessible(page, 'the components');

      await inPopup(page, 'Reconnect OIDC Lab', (popup) => deny(popup, account));
      await page.locator('.eg-reconnect').getByText('Nothing has changed').waitFor();
      await hasFocus(button, 'where it was');
      const fails = async (/** @type {string} */ as, /** @type {RegExp} */ text) => {
        const [failing] = await Promise.all([page.waitForEvent('popup'), button.click()]);
        await consent(failing, as);
        await page.locator('.eg-reconnect').getByText(text).waitFor();
        assert.equal(await button.isEnabled(), true, 'it can be tried again');
        assert(!failing.isClosed(), 'what went wrong stays to be read');
        await accessible(page, 'a reconnect that failed');
        await failing.close();
        await page.context().clearCookies(); // the provider asks again who it is
      };
      await lab.oidc.changeSecret('another-secret-than-before');
      try {
        await fails(account, /Access was granted but could not be fetched/);
      } finally {
        await lab.oidc.changeSecret(CLIENT.secret);
      }
      await fails('somebody else', /That is another account than the one that was connected/);
      const [popup] = await Promise.all([page.waitForEvent('popup'), button.click()]);
      const waiting = page.locator('.eg-reconnect button');
      assert.equal(await waiting.innerText(), 'Waiting for OIDC Lab…');
      assert.equal(await waiting.isDisabled(), true);
      await Promise.all([popup.waitForEvent('close'), consent(popup, account)]);
      await page.locator('.eg-reconnect').getByText('OIDC Lab is connected.').waitFor();
      assert.equal(await page.locator('.eg-reconnect button').count(), 0);
      await page.locator('.eg-application[data-status="active"]').waitFor(); // the other component knows it, too
      await accessible(page, 'the components');
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
      await accessible(page, 'the components');
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
      await hasFocus(form.getByLabel('API key'), 'the form has come in the place of the button');
      await form.getByLabel('API key').fill('another-wrong-key-of-tom');
      await form.getByRole('button', { name: 'Reconnect' }).click();
      await page.locator('.eg-reconnect').getByText(/Failed to verify credentials/).waitFor();
      assert.equal(await form.getByRole('button', { name: 'Reconnect' }).isEnabled(), true);
      await accessible(page, 'a reconnect with a refused key');
      await form.getByLabel('API key').fill(next);
      await form.getByRole('button', { name: 'Reconnect' }).click();
      await page.locator('.eg-reconnect').getByText('Keyed Lab is connected.').waitFor();
      await page.locator('.eg-application[data-status="active"]').waitFor();
    });

    test('what somebody is typing stays, whatever comes in: a change of the application, a new session', async () => {
      const { page, account } = await open('yui', `/?only=${KEYED_APP}`, renewed.folder);
      const field = page.getByLabel('API key');
      const renew = () => page.getByRole('button', { name: 'New session' }).evaluate((button) => /** @type {HTMLElement} */ (button).click());
      const stays = async () => {
        assert.equal(await field.inputValue(), 'half-a-key-of-y');
        await hasFocus(field);
      };
      await field.fill('half-a-key-of-y');
      const elsewhere = `key-elsewhere-of-${account}`;
      lab.keyed.issue(elsewhere, 'yui');
      await lab.saveKey(account, elsewhere);
      lab.keyed.revoke(elsewhere);
      await lab.evergrant.check(await lab.evergrant.connectionId(account, KEYED_APP));
      await page.evaluate(() => { document.dispatchEvent(new Event('visibilitychange')); });
      await page.locator('.eg-application[data-status="expired"]').waitFor();
      await stays();
      await lab.evergrant.api('DELETE', `/api/v2/public/linked-account/integration/${KEYED_APP}`, { account });
      await lab.revokeSession(await lab.evergrant.sessionToken(account)); // the next is another
      await renew(); // and nothing else makes the components look
      await page.locator('.eg-application[data-status="none"]').waitFor();
      await stays();
    });

    test('a session that ends in the middle says so, in the component and in the list, and nothing is lost', async () => {
      const { page, account } = await open('vic');
      await page.getByRole('button', { name: /^OIDC Lab/ }).click();
      const [popup] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Connect', exact: true }).click()]);
      await reachConsent(popup, account);
      // The account is closed: its sessions end, and the back end gets no new one.
      await lab.evergrant.api('DELETE', `/api/v2/public/linked-account/${account}`);
      await status(page, 'Your session has expired. Please reload the page.');
      assert(!popup.isClosed(), 'what is open stays to be read');
      assert.equal(await page.getByRole('button', { name: 'Connect', exact: true }).isEnabled(), true);
      await accessible(page, 'a session that has ended');
      await page.getByRole('button', { name: /All applications/ }).click();
      await page.getByText('Your session has expired. Please reload the page.').waitFor();
    });

    test('mounted twice or thrice: one window a click, and what is left behind stops', async () => {
      const { page, account } = await open('wes');
      const row = page.getByRole('button', { name: /^OIDC Lab/ });
      const running = () => page.evaluate(() => /** @type {any} */ (window).running);
      await row.waitFor();
      const atRest = await running();
      for (let round = 0; round < 3; round += 1) {
        await row.click();
        await page.getByRole('button', { name: 'Connect', exact: true }).waitFor();
        await page.getByRole('button', { name: /All applications/ }).click();
        await row.waitFor();
      }
      assert.deepEqual(await running(), atRest, 'timers and listeners that nobody needs any more');
      await row.click();
      const [popup] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Connect', exact: true }).click()]);
      await reachConsent(popup, account);
      assert.equal(page.context().pages().length, 2, 'one window');
      await Promise.all([popup.waitForEvent('close'), consent(popup, account)]);
      await status(page, 'OIDC Lab is connected.');
      await page.getByRole('button', { name: /All applications/ }).click();
      await row.waitFor();
      assert.deepEqual(await running(), atRest);
    });

    test('unstyled: no class of ours, and still usable by all', async () => {
      const { page, account } = await open('xan', `/?unstyled&used=${OAUTH_APP}&only=${OAUTH_APP}`);
      await inPopup(page, 'Connect', (popup) => consent(popup, account));
      await page.getByText('OIDC Lab is connected.').waitFor();
      assert.equal(await page.locator('[class*="eg-"]').count(), 0);
      await accessible(page, 'unstyled');
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

/** In the page, before anything else: counts the timers and listeners that are alive. */
function countWhatRuns() {
  const running = { intervals: 0, messages: 0, visibility: 0 };
  Object.assign(window, { running });
  const { setInterval: set, clearInterval: clear } = window;
  const alive = new Set();
  Object.assign(window, {
    setInterval: (/** @type {any[]} */ ...given) => {
      const id = set(.../** @type {[any]} */ (given));
      alive.add(id);
      running.intervals = alive.size;
      return id;
    },
    clearInterval: (/** @type {number} */ id) => {
      alive.delete(id);
      running.intervals = alive.size;
      clear(id);
    },
  });
  for (const [target, type, name] of /** @type {[EventTarget, string, 'messages' | 'visibility'][]} */ ([
    [window, 'message', 'messages'], [document, 'visibilitychange', 'visibility'],
  ])) {
    const add = target.addEventListener.bind(target);
    const alive = new Set();
    const changed = () => { running[name] = alive.size; };
    target.addEventListener = (/** @type {string} */ kind, /** @type {any} */ listener, /** @type {any} */ options) => {
      if (kind === type) {
        alive.add(listener);
        changed();
        options?.signal?.addEventListener('abort', () => { alive.delete(listener); changed(); });
      }
      add(kind, listener, options);
    };
    const remove = target.removeEventListener.bind(target);
    target.removeEventListener = (/** @type {string} */ kind, /** @type {any} */ listener, /** @type {any} */ options) => {
      if (kind === type && alive.delete(listener)) changed();
      remove(kind, listener, options);
    };
  }
}

/** @param {import('playwright-core').Locator} element @param {string} [why] */
async function hasFocus(element, why) {
  await eventually(why ?? 'the focus', async () => (await element.evaluate((one) => one === document.activeElement)) || undefined);
}

/** What the live region of an application says. @param {Page} page @param {string | RegExp} text */
async function status(page, text) {
  await page.locator('.eg-application').getByRole('status').filter({ hasText: text }).waitFor();
}

/**
 * A variable of the style sheet is heeded wherever a product sets it: for the whole page, around a component, or on one.
 * @param {Page} page
 * @param {import('playwright-core').Locator} button
 */
async function looksAreVariables(page, button) {
  const colour = () => button.evaluate((element) => getComputedStyle(element).backgroundColor);
  for (const [place, wanted] of /** @type {const} */ ([[':root', 'rgb(1, 2, 3)'], ['main', 'rgb(4, 5, 6)'], ['.eg-root', 'rgb(7, 8, 9)']])) {
    const element = page.locator(place).first();
    await element.evaluate((one, value) => { /** @type {HTMLElement} */ (one).style.setProperty('--eg-accent', value); }, wanted);
    await eventually(`the colour that ${place} wishes`, async () => ((await colour()) === wanted) || undefined); // it fades
    await element.evaluate((one) => { /** @type {HTMLElement} */ (one).style.removeProperty('--eg-accent'); });
  }
  // What it was before depends on where the pointer is, and on a fade that may still be under way.
  await eventually('a colour that nobody wished for', async () => (!/^rgb\(7, 8, 9\)$/.test(await colour())) || undefined);
}
