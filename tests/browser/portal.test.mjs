// The hosted pages in a real browser, with a real OAuth server as the third party: every flow by clicks, and every page and
// state found accessible by axe-core.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { startBrowser } from './support/browser.mjs';
import { BOTH_APP, KEYED_APP, Lab, OAUTH_APP, UNCHECKED_APP } from './support/lab.mjs';
import { CLIENT, consent, deny, reachConsent } from './support/oidc.mjs';
import { Visitor, comeBackWith, frameOf, framedAddress, hostedUrl, startEmbedder } from './support/portal.mjs';
import { eventually } from './support/net.mjs';
import { accessible } from './support/axe.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { browser = await startBrowser({ blocksPopups: true }); });
after(async () => { await browser?.close(); });

for (const engine of /** @type {const} */ (['sqlite', 'postgres'])) {
  describe(`hosted pages on ${engine}`, () => {
    /** @type {Lab} */
    let lab;
    before(async () => { lab = await Lab.start(engine); });
    after(async () => { await lab?.close(); });
    afterEach(async () => { await Promise.all(browser.contexts().map((context) => context.close())); });

    /** What touches no SQL of its own runs on one engine. @type {(name: string, run: () => Promise<void>) => void} */
    const once = (name, run) => { if (engine === 'sqlite') test(name, run); };

    /** @param {string} name @param {Parameters<typeof Visitor.arrive>[3]} [options] */
    const visitor = (name, options) => Visitor.arrive(lab, browser, `${name}-${engine}`, options);
    /** @param {Visitor} who */
    const idOf = (who) => lab.evergrant.connectionId(who.account, OAUTH_APP);

    /** First connect, by clicks. @param {Visitor} who */
    const connect = async (who) => {
      await who.choose('OIDC Lab');
      await who.press('Connect');
      await consent(who.page, who.account);
      await who.says('OIDC Lab is connected');
    };

    /** Lets the provider withdraw the grant, and Evergrant notice. @param {Visitor} who */
    const lose = async (who) => {
      const id = await idOf(who);
      lab.oidc.revokeGrant(who.account);
      await lab.evergrant.check(id);
      return id;
    };

    /** @param {string} id @param {object} [body] */
    const link = async (id, body = {}) => {
      const made = await lab.evergrant.api('POST', `/api/v2/public/connection/${id}/reauth-link`, { body });
      lab.evergrant.secrets.add(new URL(made.url).pathname.split('/').pop() ?? '');
      return made;
    };

    test('first connect, expired, and working again two clicks after the list', async () => {
      const anna = await visitor('anna', { properties: { name: 'Anna & Co', color: '#7a3cff' } });
      assert.equal(new URL(anna.page.url()).pathname, '/connect', 'no token stays in the address');
      /** @type {Set<string>} */ const asked = new Set();
      anna.page.on('request', (request) => { // by our own pages: what a provider's ask for is theirs
        if (new URL(request.frame().url()).origin === lab.evergrant.origin) asked.add(new URL(request.url()).origin);
      });
      await anna.says('Anna & Co');
      await anna.accessible('the list');
      await anna.choose('OIDC Lab');
      await anna.accessible('an application that is not connected');
      await anna.press('Connect');
      await consent(anna.page, anna.account);
      await anna.says('OIDC Lab is connected');
      await anna.accessible('done');
      await anna.page.getByRole('link', { name: 'Back to your integrations' }).click();
      await anna.chip('Connected');
      const id = await lose(anna);
      await anna.page.reload();
      await anna.says('Needs your attention');
      await anna.says(/Access was withdrawn in OIDC Lab\. Since \d+ \w+ \d{4}\./);
      await anna.accessible('the list with an expired application');
      await anna.choose('OIDC Lab');
      await anna.says('What happened');
      await anna.accessible('an expired application');
      await anna.page.goBack();
      await anna.press('Reconnect OIDC Lab');
      await consent(anna.page, anna.account);
      await anna.says('OIDC Lab is connected');
      assert.equal(await idOf(anna), id);
      await anna.page.goto(`${lab.evergrant.origin}/connect/${OAUTH_APP}`);
      await anna.says('This connection works.');
      await anna.accessible('a connected application');
      assert.deepEqual([...asked].sort(), [lab.evergrant.origin, lab.oidc.origin].sort(), 'nobody but us and the application is asked for anything');
    });

    test('consent denied changes nothing and leads back', async () => {
      const boris = await visitor('boris');
      await boris.choose('OIDC Lab');
      await boris.press('Connect');
      await deny(boris.page, boris.account);
      await boris.says('OIDC Lab was not connected');
      await boris.accessible('denied');
      await boris.page.getByRole('link', { name: 'Try again' }).click();
      await boris.page.getByRole('button', { name: 'Connect' }).waitFor();
      assert.equal(new URL(boris.page.url()).pathname, `/connect/${OAUTH_APP}`);
      await boris.page.getByRole('link', { name: 'Applications' }).click();
      await boris.page.locator(`#${OAUTH_APP}.new`).waitFor();
    });

    once('what is wrong at the provider is told, whatever it is, and changes nothing', async () => {
      const theo = await visitor('theo');
      for (const [error, title] of /** @type {const} */ ([
        ['server_error', 'OIDC Lab had a problem'], ['invalid_scope', 'OIDC Lab could not be connected'],
      ])) {
        await theo.page.goto(`${lab.evergrant.origin}/connect/${OAUTH_APP}`);
        await comeBackWith(lab, theo, error);
        await theo.page.getByRole('heading', { name: title }).waitFor();
        await theo.accessible(`a consent that ended in ${error}`);
      }
      await theo.page.goto(`${lab.evergrant.origin}/connect/${OAUTH_APP}`);
      await theo.press('Connect');
      await reachConsent(theo.page, theo.account);
      await lab.oidc.changeSecret('another-secret-than-before');
      try {
        await consent(theo.page, theo.account);
        await theo.page.getByRole('heading', { name: 'OIDC Lab did not answer as expected' }).waitFor();
        await theo.accessible('a consent without tokens');
      } finally {
        await lab.oidc.changeSecret(CLIENT.secret);
      }
      await theo.page.getByRole('link', { name: 'Back to your integrations' }).click();
      await theo.page.locator(`#${OAUTH_APP}.new`).waitFor();
    });

    if (engine === 'postgres') test('what ends soon says so, in the list and on its page', async () => {
      const ella = await visitor('ella');
      await connect(ella);
      // As if the engine had foretold it five days ahead.
      await lab.evergrant.psql(`UPDATE connections SET end_moves = 0, (expected_end, told_end) =
        (SELECT at, at FROM (SELECT floor(extract(epoch FROM now()) * 1000)::bigint + 432000000 AS at) AS soon) WHERE id = '${await idOf(ella)}'`);
      await ella.page.goto(`${lab.evergrant.origin}/connect`);
      await ella.chip('Expiring soon');
      await ella.accessible('a list with what ends soon');
      await ella.choose('OIDC Lab');
      await ella.says(/This connection ends on \d+ \w+ \d{4}\. Reconnect before then/);
      await ella.accessible('an application that ends soon');
    });

    once('a form says when the provider is down, and when a key could not be checked', async () => {
      const vera = await visitor('vera');
      await vera.choose('Keyed Lab');
      const key = 'key-of-vera-while-it-is-down';
      lab.keyed.issue(key, 'vera');
      lab.keyed.setDown(true);
      try {
        await vera.page.getByLabel('API key').fill(key);
        await vera.press('Connect');
        await vera.page.getByRole('alert').filter({ hasText: 'Keyed Lab cannot be reached. Nothing has changed' }).waitFor();
        await vera.accessible('a key form while the provider is down');
      } finally {
        lab.keyed.setDown(false);
      }
      await vera.page.getByLabel('API key').fill(key);
      await vera.press('Connect');
      await vera.says('Keyed Lab is connected.');
      await vera.page.goto(`${lab.evergrant.origin}/connect/${UNCHECKED_APP}`);
      await vera.page.getByLabel('API key').fill('any-key-of-vera');
      await vera.press('Connect');
      await vera.says('offers no way to check a key, so it is stored unchecked');
      await vera.accessible('a key that is stored unchecked');
    });

    test('a refused key is told in the form and never shown again; a good one connects; it is ended after a question', async () => {
      const clara = await visitor('clara');
      await clara.choose('Keyed Lab');
      await clara.accessible('a key form');
      const wrong = `wrong-key-of-clara-on-${engine}`;
      await clara.page.getByLabel('API key').fill(wrong);
      await clara.press('Connect');
      await clara.page.getByRole('alert').filter({ hasText: /did not accept this: .*invalid_api_key/ }).waitFor();
      assert.equal(await clara.page.getByLabel('API key').inputValue(), '');
      assert(!(await clara.page.content()).includes(wrong), 'the key is not echoed');
      await clara.accessible('a key form with a refused key');
      const good = `good-key-of-clara-on-${engine}`;
      lab.keyed.issue(good, 'clara');
      await clara.page.getByLabel('API key').fill(good);
      await clara.press('Connect');
      await clara.says('Keyed Lab is connected.');
      await clara.says('clara');
      await clara.page.reload();
      await clara.page.locator('summary', { hasText: 'Disconnect' }).click();
      await clara.says('stops working here until you connect it again');
      await clara.accessible('the question before the end');
      await clara.press('Yes, disconnect Keyed Lab');
      await clara.says('Keyed Lab is disconnected.');
      await clara.accessible('a disconnected application');
    });

    once('an application that takes both lets the customer choose, and every page that says no can be read by all', async () => {
      const petra = await visitor('petra', { context: { viewport: { width: 390, height: 844 } } });
      const { page } = petra;
      const { origin } = lab.evergrant;
      await page.goto(`${origin}/connect/${BOTH_APP}`);
      await page.getByRole('navigation', { name: 'How do you want to connect?' }).waitFor();
      await petra.accessible('a choice of ways');
      await page.getByRole('link', { name: 'Key Based' }).click();
      await page.getByLabel('Secret key').waitFor();
      await petra.accessible('a form with every kind of field');
      await page.locator('form.fields').evaluate((form) => { /** @type {HTMLFormElement} */ (form).noValidate = true; });
      await page.getByLabel('Note').fill('kept');
      await petra.press('Connect');
      await petra.says('Please check the marked fields.');
      assert.equal(await page.getByLabel('Note').inputValue(), 'kept');
      assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-invalid')), 'true', 'the first wrong field has the focus');
      await petra.accessible('a form with every kind of field, wrongly filled in');
      await page.getByRole('link', { name: 'OAuth 2.0' }).click();
      await petra.press('Connect');
      await petra.says('Not ready yet');
      await petra.accessible('an application without a client');
      await page.getByRole('link', { name: 'Go to your integrations' }).click();
      await page.getByRole('heading', { name: 'Manage your Integrations' }).waitFor();
      for (const [path, status, text] of /** @type {const} */ ([
        ['/connect/no-such-application', 404, 'Not found'],
        [`/api/v1/${OAUTH_APP}/callback?code=x&state=y`, 400, 'This link is no longer valid'],
        [`/api/v1/${OAUTH_APP}/start/none`, 400, 'This link is no longer valid'],
      ])) {
        assert.equal((await page.goto(origin + path))?.status(), status);
        await petra.says(text);
        await petra.accessible(path);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
        assert.equal(wide, false, `${path} is wider than the phone`);
      }
    });

    test('a session that ends in the middle ends on a page that says so, and nothing is done', async () => {
      const dora = await visitor('dora');
      await dora.choose('Keyed Lab');
      const token = new URL(dora.url).pathname.split('/').pop();
      const revoke = { method: 'POST', headers: { authorization: `Bearer ${token}` } };
      assert((await fetch(`${lab.evergrant.origin}/api/v2/public/session-token/revoke`, revoke)).ok);
      await dora.page.getByLabel('API key').fill('any-key-at-all');
      await dora.press('Connect');
      await dora.says('This page has expired');
      await dora.accessible('an expired session');
    });

    test('two tabs do not end each other\'s consent', async () => {
      const emil = await visitor('emil');
      const second = new Visitor(emil.account, await emil.page.context().newPage(), emil.url);
      await second.page.goto(`${lab.evergrant.origin}/connect`);
      for (const tab of [emil, second]) {
        await tab.choose('OIDC Lab');
        await tab.press('Connect');
        await tab.page.waitForURL((url) => url.origin === lab.oidc.origin);
      }
      for (const tab of [emil, second]) {
        await consent(tab.page, emil.account);
        await tab.says('OIDC Lab is connected');
      }
      await idOf(emil); // there is exactly one
    });

    test('without a script everything works: search, category, consent, key form, disconnect, re-auth link', async () => {
      const finn = await visitor('finn', { context: { javaScriptEnabled: false } });
      await finn.page.getByLabel('Search').fill('keyed');
      await finn.press('Show');
      assert.equal(await finn.page.locator('.card').count(), 1);
      await finn.choose('Keyed Lab');
      const key = `key-of-finn-on-${engine}`;
      lab.keyed.issue(key, 'finn');
      await finn.page.getByLabel('API key').fill(key);
      await finn.press('Connect');
      await finn.says('Keyed Lab is connected.');
      await finn.page.locator('summary', { hasText: 'Disconnect' }).click();
      await finn.press('Yes, disconnect Keyed Lab');
      await finn.says('Keyed Lab is disconnected.');
      await finn.page.getByRole('link', { name: 'Applications' }).click();
      const all = await finn.page.locator('.card').count();
      const tagged = await finn.page.locator('.card[data-tags="Test"]').count();
      await finn.page.getByLabel('Category').selectOption('Test');
      await finn.press('Show');
      await finn.page.waitForURL(/category=Test/);
      const shown = await finn.page.locator('.card').evaluateAll((cards) => cards.map((card) => card.getAttribute('data-tags')?.split('|').includes('Test')));
      assert(shown.length >= tagged && shown.length < all && shown.every(Boolean), `${shown} of ${all}`);
      await connect(finn);
      const { url } = await link(await lose(finn));
      await finn.page.goto(url);
      await finn.press('Reconnect OIDC Lab');
      await consent(finn.page, finn.account);
      await finn.says('OIDC Lab is connected');
      await finn.page.goto(url);
      await finn.says('OIDC Lab works again');
    });

    once('with a script the list is filtered while typing, by keyboard alone', async () => {
      const gina = await visitor('gina', { context: { colorScheme: 'dark' } });
      await gina.accessible('the list in the dark');
      const all = await gina.page.locator('.card:visible').count();
      await gina.page.getByLabel('Search').press('k');
      await gina.page.keyboard.type('eyed');
      await eventually('one card', async () => (await gina.page.locator('.card:visible').count()) === 1 || undefined);
      await gina.page.getByLabel('Search').fill('nothing like it');
      await gina.says('No application matches');
      await gina.accessible('a list without a match');
      await gina.page.getByLabel('Search').fill('');
      await eventually('all cards', async () => (await gina.page.locator('.card:visible').count()) === all || undefined);
      await gina.page.getByLabel('Category').selectOption('Test');
      await eventually('one category', async () => (await gina.page.locator('.card:visible').count()) < all || undefined);
      const tags = await gina.page.locator('.card:visible').evaluateAll((cards) => cards.map((card) => card.getAttribute('data-tags')?.split('|')));
      assert(tags.length > 1 && tags.every((some) => some?.includes('Test')), JSON.stringify(tags));
      await gina.page.getByLabel('Category').selectOption('');
      await eventually('all cards again', async () => (await gina.page.locator('.card:visible').count()) === all || undefined);
      await gina.page.getByLabel('Search').focus();
      await gina.page.keyboard.press('Tab');
      await gina.page.keyboard.press('Enter');
      await gina.page.waitForURL(/\/connect\/[a-z-]+$/);
    });

    once('five languages, on a phone, accessible in each', async () => {
      const hana = await visitor('hana', { context: { locale: 'ja-JP', viewport: { width: 390, height: 844 } } });
      await hana.says('連携の管理');
      for (const [name, title] of [['Deutsch', 'Integrationen verwalten'], ['Français', 'Gérer vos intégrations'], ['Español', 'Gestione sus integraciones'], ['日本語', '連携の管理'], ['English', 'Manage your Integrations']]) {
        await hana.page.getByRole('link', { name, exact: true }).click();
        await hana.page.getByRole('heading', { name: title }).waitFor();
        await hana.accessible(`the list in ${name}`);
        const wide = await hana.page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
        assert.equal(wide, false, `${name} is wider than the phone`);
      }
      await hana.choose('Keyed Lab');
      await hana.says('Enter what Keyed Lab gives you');
    });

    test('a re-auth link survives scanners, opens one connection only, and is dead once it works', async () => {
      const iris = await visitor('iris');
      await connect(iris);
      const id = await lose(iris);
      const { url } = await link(id);
      const before = await lab.evergrant.connection(id);
      await Promise.all(Array.from({ length: 24 }, async (_, at) => {
        const answer = await fetch(url, { method: at % 3 ? 'GET' : 'HEAD', redirect: 'error' });
        assert.equal(answer.status, 200);
      }));
      assert.deepEqual(await lab.evergrant.connection(id), before, 'looking changes nothing');
      const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
      await page.goto(url);
      await page.getByText(`asks you to reconnect OIDC Lab for ${iris.account}`).waitFor();
      await accessible(page, 'a re-auth link');
      await page.getByRole('button', { name: 'Reconnect OIDC Lab' }).click();
      await deny(page, iris.account);
      await page.getByText('OIDC Lab was not connected').waitFor();
      await page.getByRole('link', { name: 'Try again' }).click();
      await page.getByText('What happened').waitFor();
      await accessible(page, 'the one connection of a link');
      assert.equal((await page.goto(`${lab.evergrant.origin}/connect`))?.status(), 401, 'no list behind a link');
      await page.goto(`${lab.evergrant.origin}/repair`);
      await page.getByRole('button', { name: 'Reconnect' }).click();
      await consent(page, iris.account);
      await page.getByText('OIDC Lab is connected').waitFor();
      assert.equal(await idOf(iris), id);
      await page.goto(url);
      await page.getByText('OIDC Lab works again').waitFor();
      await accessible(page, 'a link to a connection that works');
    });

    test('a revoked link and one of an earlier break say so', async () => {
      const jack = await visitor('jack');
      await connect(jack);
      const id = await lose(jack);
      const revoked = await link(id);
      await lab.evergrant.api('DELETE', `/api/v2/public/connection/${id}/reauth-link/${revoked.id}`);
      const old = await link(id);
      await jack.page.goto(`${lab.evergrant.origin}/connect`);
      await jack.press('Reconnect OIDC Lab');
      await consent(jack.page, jack.account);
      await jack.says('OIDC Lab is connected');
      await lose(jack);
      for (const { url } of [revoked, old]) {
        assert.equal((await jack.page.goto(url))?.status(), 410);
        await jack.says('This link no longer works');
      }
      await jack.accessible('an ended link');
    });

    test('a link that was opened before it is revoked ends for whoever opened it', async () => {
      const otto = await visitor('otto');
      await connect(otto);
      const id = await lose(otto);
      const { url, id: number } = await link(id);
      await otto.page.goto(url);
      await otto.press('Reconnect OIDC Lab');
      await deny(otto.page, otto.account);
      await otto.says('was not connected');
      await lab.evergrant.api('DELETE', `/api/v2/public/connection/${id}/reauth-link/${number}`);
      assert.equal((await otto.page.goto(`${lab.evergrant.origin}/repair`))?.status(), 410);
      await otto.says('This link no longer works');
    });

    test('in a frame of an allowed origin the provider opens in a window, and the page follows', async () => {
      const embedder = await startEmbedder();
      try {
        const allowed = { frame_origins: [embedder.otherSite] };
        await lab.evergrant.api('PUT', '/api/v2/public/environment/origins', { body: allowed });
        const kim = await visitor('kim', { open: false });
        await kim.page.goto(`${embedder.otherSite}/#${encodeURIComponent(kim.url)}`);
        const frame = kim.page.frameLocator('#frame');
        await frame.getByRole('link', { name: 'OIDC Lab', exact: true }).click();
        const begin = async () => {
          const opening = kim.page.context().waitForEvent('page');
          await frame.getByRole('button', { name: 'Connect' }).click();
          return opening;
        };
        const closed = await begin();
        await closed.waitForURL((url) => url.origin === lab.oidc.origin);
        await closed.close();
        await frame.getByText('The window was closed before OIDC Lab was connected. Nothing has changed.').waitFor();
        await accessible(kim.page, 'a window that was closed', frameOf(kim.page));
        const popup = await begin();
        await consent(popup, kim.account);
        await frame.getByText('OIDC Lab is connected.').waitFor();
        const told = await kim.page.evaluate('told');
        assert(told.some((/** @type {any} */ one) => one.origin === lab.evergrant.origin
          && one.data.type === 'evergrant:status' && one.data.slug === OAUTH_APP && one.data.status === 'connected'), JSON.stringify(told));
        const [inner] = kim.page.mainFrame().childFrames();
        assert(inner && !inner.url().includes('st_'), 'no token stays in the frame\'s address');

        await lab.evergrant.api('PUT', '/api/v2/public/environment/origins', { body: { frame_origins: [] } });
        const other = await kim.page.context().newPage();
        await other.goto(`${embedder.otherSite}/#${encodeURIComponent(await hostedUrl(lab, kim.account))}`);
        await eventually('the frame is refused', async () => (
          other.frames().some((one) => one.url().startsWith('chrome-error:')) || undefined));
      } finally {
        await embedder.close();
      }
    });

    once('in a frame where no window may open there is a link to one, and a way to go on', async () => {
      const embedder = await startEmbedder();
      try {
        await lab.evergrant.api('PUT', '/api/v2/public/environment/origins', { body: { frame_origins: [embedder.otherSite] } });
        const nina = await visitor('nina', { open: false });
        await nina.page.goto(`${embedder.otherSite}/#${encodeURIComponent(nina.url)}`);
        const frame = nina.page.frameLocator('#frame');
        await frame.getByRole('link', { name: 'OIDC Lab', exact: true }).click();
        // A click that has opened a window opens no second one.
        await frame.locator('body').evaluate(() => {
          document.addEventListener('click', () => { window.open('about:blank')?.close(); }, { capture: true, once: true });
        });
        await frame.getByRole('button', { name: 'Connect' }).click();
        await frame.getByText('OIDC Lab opens in a new window').waitFor();
        await accessible(nina.page, 'a link to a window', frameOf(nina.page));
        const opening = nina.page.context().waitForEvent('page', (page) => !page.isClosed());
        await frame.getByRole('link', { name: 'Continue to OIDC Lab' }).click();
        const page = await opening;
        await consent(page, nina.account);
        await page.getByText('OIDC Lab is connected').waitFor();
        await frame.getByRole('link', { name: 'I have finished there' }).click();
        await frame.getByText('This connection works.').waitFor();
      } finally {
        await embedder.close();
      }
    });

    once('in a frame whose cookies are blocked a window is offered instead', async () => {
      const embedder = await startEmbedder();
      try {
        await lab.evergrant.api('PUT', '/api/v2/public/environment/origins', { body: { frame_origins: [embedder.otherSite] } });
        const lena = await visitor('lena', { open: false });
        // Chromium takes partitioned cookies. A browser that does not arrives at the clean address without one.
        await lena.page.goto(`${embedder.otherSite}/#${encodeURIComponent(await framedAddress(lena.url))}`);
        const frame = lena.page.frameLocator('#frame');
        await frame.getByRole('link', { name: 'Open in a new window' }).waitFor();
        await accessible(lena.page, 'a frame without cookies', frameOf(lena.page));
        const opening = lena.page.context().waitForEvent('page');
        await frame.getByRole('link', { name: 'Open in a new window' }).click();
        const page = await opening;
        await page.getByRole('heading', { name: 'Manage your Integrations' }).waitFor();
        assert.equal(new URL(page.url()).pathname, '/connect');
      } finally {
        await embedder.close();
      }
    });
  });
}
