// How heavy the hosted list is, and whether it moves while it loads: node weight.mjs. Printed by `make bench`.
//
// A new customer opens the list in Chromium with an empty cache. Weight: encoded bytes of every answer, headers included, as
// the browser's network layer counts them. Shift: the sum of all layout shifts (CLS) until two seconds after loading, on a
// desktop and on a phone.
import { startBrowser } from './support/browser.mjs';
import { Lab } from './support/lab.mjs';
import { hostedUrl } from './support/portal.mjs';

const GOAL_BYTES = 50_000;
const VIEWPORTS = [{ name: 'desktop', width: 1280, height: 800 }, { name: 'phone', width: 390, height: 844 }];

const lab = await Lab.start('sqlite');
const browser = await startBrowser();
let missed = false;
try {
  await lab.evergrant.createAccount('weight');
  for (const { name, ...viewport } of VIEWPORTS) {
    const context = await browser.newContext({ viewport, locale: 'en-GB' });
    const page = await context.newPage();
    await page.addInitScript(() => {
      const seen = /** @type {any} */ (window);
      seen.shift = 0;
      new PerformanceObserver((list) => {
        for (const entry of /** @type {any[]} */ (list.getEntries())) seen.shift += entry.value;
      }).observe({ type: 'layout-shift', buffered: true });
    });
    const devtools = await context.newCDPSession(page);
    let [bytes, answers] = [0, 0];
    devtools.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength; answers += 1; });
    await devtools.send('Network.enable');
    await page.goto(await hostedUrl(lab, 'weight'), { waitUntil: 'networkidle' });
    await page.waitForTimeout(2000);
    const shift = await page.evaluate(() => /** @type {any} */ (window).shift);
    missed ||= bytes >= GOAL_BYTES || shift > 0;
    console.log(`hosted list, ${name.padEnd(7)}  ${(bytes / 1000).toFixed(1)} kB in ${answers} answers (goal < ${GOAL_BYTES / 1000} kB), layout shift ${shift.toFixed(3)} (goal 0)`);
    await context.close();
  }
} finally {
  await browser.close();
  await lab.close();
}
if (missed) console.log('hosted list: a goal is missed');
