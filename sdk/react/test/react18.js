// Before a test: `react` and `react-dom` mean React 18, of tests/react18, for modules of both kinds.
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('../../../tests/react18/', import.meta.url));
const parent = Object.assign(new module.Module(home), { filename: `${home}index.js`, paths: [`${home}node_modules`] });

const resolve = module._resolveFilename;
module._resolveFilename = function (name, from, ...rest) {
  return resolve.call(this, name, /^react(-dom)?(\/|$)/.test(name) ? parent : from, ...rest);
};

module.register(`data:text/javascript,${encodeURIComponent(`
  import { createRequire } from 'node:module';
  import { pathToFileURL } from 'node:url';
  const require = createRequire(${JSON.stringify(`${home}index.js`)});
  export function resolve(name, context, next) {
    if (!/^react(-dom)?(\\/|$)/.test(name)) return next(name, context);
    return { url: pathToFileURL(require.resolve(name)).href, format: 'commonjs', shortCircuit: true };
  }`)}`);
