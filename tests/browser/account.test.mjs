// A reconnect that lands on another account than before, in a real browser against a real OAuth server: it is refused with
// the expected account named, going back works, and replacing it is possible only where the environment's policy asks.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { accessible } from './support/axe.mjs';
import { startBrowser } from './support/browser.mjs';
import { KEYED_APP, Lab, OAUTH_APP } from './support/lab.mjs';
import { consent } from './support/oidc.mjs';
import { Visitor } from './support/portal.mjs';

/** @typedef {import('./support/lab.mjs').Customer} Customer */

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

    /**
     * A customer who was connected as one account of the provider, and must reconnect. Returns the connection's id.
     * @param {Customer} customer @param {string} as
     */
    async function broken(customer, as) {
      const { popup, outcome } = await customer.product.connectByPopup(OAUTH_APP);
      await consent(popup, as);
      assert.deepEqual(await outcome, { value: true });
      const id = await lab.evergrant.connectionId(customer.account, OAUTH_APP);
      assert.equal((await lab.evergrant.connection(id)).identifier, as);
      await lab.evergrant.expire(id);
      return id;
    }

    /**
     * Reconnects in the popup as another account; returns the page that says so.
     * @param {Customer} customer @param {{ as: string, expected: string }} accounts
     */
    async function reconnect(customer, { as, expected }) {
      await customer.context.clearCookies(); // the provider asks again who it is
      const { popup, outcome } = await customer.product.connectByPopup(OAUTH_APP);
      await consent(popup, as);
      await popup.getByRole('heading', { name: 'This is another account' }).waitFor();
      const text = await popup.locator('main').innerText();
      assert(text.includes(expected) && text.includes(as), text);
      return { popup, outcome };
    }

    test('another account is refused, the expected one is named, and going back works', async () => {
      const customer = await lab.customer(browser, `ann-${engine}`);
      const [alice, bob] = [`alice-of-ann-${engine}`, `bob-of-ann-${engine}`];
      const id = await broken(customer, alice);
      const { popup, outcome } = await reconnect(customer, { as: bob, expected: alice });
      assert.equal(await popup.getByRole('button').count(), 0, 'the policy offers no choice');
      await accessible(popup, 'another account, refused');
      assert.equal((await lab.evergrant.connection(id)).identifier, alice);
      assert.equal((await lab.evergrant.connection(id)).status, 'reauth_required');
      await popup.close();
      assert.deepEqual(await outcome, { value: false });

      await customer.context.clearCookies();
      const again = await customer.product.connectByPopup(OAUTH_APP);
      await consent(again.popup, alice);
      assert.deepEqual(await again.outcome, { value: true });
      assert.equal((await lab.evergrant.connection(id)).status, 'active');
      assert.equal(await lab.evergrant.connectionId(customer.account, OAUTH_APP), id);
    });

    test('where the policy asks, the customer keeps the old account or replaces it knowingly', async () => {
      const customer = await lab.customer(browser, `zoe-${engine}`);
      const [alice, bob] = [`alice-of-zoe-${engine}`, `bob-of-zoe-${engine}`];
      const id = await broken(customer, alice);
      await lab.evergrant.setPolicy('ask');
      try {
        const first = await reconnect(customer, { as: bob, expected: alice });
        await first.popup.getByRole('button', { name: `Keep ${alice}` }).click();
        assert.deepEqual(await first.outcome, { value: false });
        assert.equal((await lab.evergrant.connection(id)).identifier, alice);

        const second = await reconnect(customer, { as: bob, expected: alice });
        await second.popup.getByRole('button', { name: `Replace it with ${bob}` }).click();
        assert.deepEqual(await second.outcome, { value: true });
        const replaced = await lab.evergrant.connection(id);
        assert.deepEqual([replaced.identifier, replaced.status], [bob, 'active']);
        await lab.evergrant.check(id);
        assert.equal((await lab.evergrant.connection(id)).status, 'active');
      } finally {
        await lab.evergrant.setPolicy('refuse');
      }
    });

    test('a link that was forwarded lets no other account in, whatever the policy; the right one is', async () => {
      const customer = await lab.customer(browser, `fred-${engine}`);
      const [alice, bob] = [`alice-of-fred-${engine}`, `bob-of-fred-${engine}`];
      const id = await broken(customer, alice);
      const { url } = await lab.evergrant.api('POST', `/api/v2/public/connection/${id}/reauth-link`, { body: {} });
      const before = await lab.evergrant.connection(id);
      await lab.evergrant.setPolicy('ask');
      try {
        const stranger = await (await browser.newContext({ locale: 'en-GB' })).newPage();
        await stranger.goto(url);
        await stranger.getByRole('button', { name: 'Reconnect OIDC Lab' }).click();
        await consent(stranger, bob);
        await stranger.getByRole('heading', { name: 'This is another account' }).waitFor();
        const text = await stranger.locator('main').innerText();
        assert(text.includes(alice) && text.includes(bob), text);
        assert.equal(await stranger.getByRole('button').count(), 0, 'there is nothing to decide');
        await accessible(stranger, 'another account, by link');
        assert.deepEqual(await lab.evergrant.connection(id), before);
        await stranger.getByRole('link', { name: 'Go back' }).click();
        await stranger.getByText('What happened').waitFor();
        await stranger.context().clearCookies({ domain: '127.0.0.1', name: /^_(session|interaction)/ });
        await stranger.getByRole('button', { name: 'Reconnect' }).click();
        await consent(stranger, alice);
        await stranger.getByText('OIDC Lab is connected').waitFor();
        assert.equal((await lab.evergrant.connection(id)).identifier, alice);
      } finally {
        await lab.evergrant.setPolicy('refuse');
      }
    });

    test('on the hosted pages the customer goes back, or replaces the account where the policy asks', async () => {
      const who = await Visitor.arrive(lab, browser, `hugo-${engine}`);
      const [alice, bob] = [`alice-of-hugo-${engine}`, `bob-of-hugo-${engine}`];
      await who.choose('OIDC Lab');
      await who.press('Connect');
      await consent(who.page, alice);
      await who.says('OIDC Lab is connected');
      const id = await lab.evergrant.connectionId(who.account, OAUTH_APP);
      await lab.evergrant.expire(id);
      const asBob = async () => {
        await who.page.context().clearCookies({ domain: '127.0.0.1', name: /^_(session|interaction)/ });
        await who.page.goto(`${lab.evergrant.origin}/connect/${OAUTH_APP}`);
        await who.press('Reconnect');
        await consent(who.page, bob);
        await who.says('This is another account');
      };
      await asBob();
      await who.says(alice);
      await who.page.getByRole('link', { name: 'Go back' }).click();
      await who.says('Needs your attention');
      await lab.evergrant.setPolicy('ask');
      try {
        await asBob();
        await who.accessible('another account, with a choice');
        await who.press(`Replace it with ${bob}`);
        await who.says('OIDC Lab is connected');
        assert.deepEqual([(await lab.evergrant.connection(id)).identifier, (await lab.evergrant.connection(id)).status], [bob, 'active']);
      } finally {
        await lab.evergrant.setPolicy('refuse');
      }
    });

    test('the hosted key form asks, too, and keeps or replaces as the customer says', async () => {
      const who = await Visitor.arrive(lab, browser, `kira-${engine}`);
      const keys = { mine: `key-of-kira-on-${engine}`, other: `key-of-kai-on-${engine}` };
      lab.keyed.issue(keys.mine, 'kira');
      lab.keyed.issue(keys.other, 'kai');
      /** @param {string} key */
      const enter = async (key) => {
        await who.page.goto(`${lab.evergrant.origin}/connect/${KEYED_APP}?auth_type=keybased`);
        await who.page.getByLabel('API key').fill(key);
        await who.page.locator('form.fields button').click();
      };
      await enter(keys.mine);
      await who.says('Keyed Lab is connected.');
      const id = await lab.evergrant.connectionId(who.account, KEYED_APP);
      await enter(keys.other);
      await who.says('This is another account');
      assert.equal(await who.page.getByRole('button').count(), 0, 'the policy refuses');
      await lab.evergrant.setPolicy('ask');
      try {
        await enter(keys.other);
        await who.press('Keep kira');
        await who.says('Keyed Lab was not connected');
        assert.equal((await lab.evergrant.connection(id)).identifier, 'kira');
        await enter(keys.other);
        assert(!(await who.page.content()).includes(keys.other), 'the key is not echoed');
        await who.press('Replace it with kai');
        await who.says('Keyed Lab is connected');
        assert.equal((await lab.evergrant.connection(id)).identifier, 'kai');
        await lab.evergrant.check(id);
        assert.equal((await lab.evergrant.connection(id)).status, 'active');
      } finally {
        await lab.evergrant.setPolicy('refuse');
      }
    });
  });
}
