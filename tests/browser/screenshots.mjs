// Takes the pictures of the README from a running demo, by clicks: node screenshots.mjs [FOLDER]. Then every page and state
// of the hosted pages, light, dark and on a phone, into .test/screenshots, for those who look at them as designers would.
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBrowser } from './support/browser.mjs';
import { gallery } from './support/gallery.mjs';
import { Card, Demo, webhooksShown } from './support/demo.mjs';

const target = process.argv[2] ?? fileURLToPath(new URL('../../docs/images', import.meta.url));
const DESKTOP = { width: 1120, height: 740 };
const PHONE = { width: 390, height: 844 };
const SCHEMES = /** @type {const} */ (['light', 'dark']);

/** @param {import('playwright-core').Page} page @param {string} name @param {boolean} [fullPage] */
async function picture(page, name, fullPage = false) {
  const path = join(target, `${name}.png`);
  await page.screenshot({ path, fullPage, animations: 'disabled', caret: 'hide' });
  console.log(path);
}

await mkdir(target, { recursive: true });
const demo = await Demo.start();
const browser = await startBrowser();
try {
  const context = await browser.newContext({ viewport: DESKTOP, deviceScaleFactor: 1.5 });
  const page = await context.newPage();
  await page.goto(demo.page);
  const crm = new Card(page, 'sandbox-oauth');
  const sms = new Card(page, 'sandbox-key');

  const consent = await crm.popup('Connect');
  await picture(consent, 'consent', true);
  await consent.getByRole('button', { name: 'Allow' }).click();
  await crm.says('Connected.');
  await sms.sendKey('Connect');
  await crm.press('Use it now');
  await crm.says('It works.');
  await crm.break('token_revoked');
  await crm.isFlagged('token_revoked'); // the interesting moment: flagged, with its reason, and the team told
  await webhooksShown(page, { event: 'Connection Expired', slug: 'sandbox-oauth', count: 1 });
  for (const card of [crm, sms]) await card.root.locator('summary').click();
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.mouse.move(0, 0);

  const hosted = await context.newPage();
  await hosted.goto(new URL('/demo/hosted', demo.page).href);
  for (const colorScheme of SCHEMES) {
    for (const [shown, name] of /** @type {const} */ ([[page, 'demo'], [hosted, 'portal']])) {
      await shown.emulateMedia({ colorScheme });
      await picture(shown, `${name}-${colorScheme}`);
    }
  }
  await hosted.emulateMedia({ colorScheme: 'light' });
  await hosted.setViewportSize(PHONE);
  await picture(hosted, 'portal-phone');
  for (const name of ['demo', 'portal']) await copyFile(join(target, `${name}-light.png`), join(target, `${name}.png`));
} finally {
  await browser.close();
  await demo.stop();
}

const shots = fileURLToPath(new URL('../../.test/screenshots', import.meta.url));
console.log(`${await gallery(shots)} pictures of the hosted pages in ${shots}`);
