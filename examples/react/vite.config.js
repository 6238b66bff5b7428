import { defineConfig } from 'vite';

// Set by our tests, which run this example on other versions of React too.
const from = process.env.REACT_FROM;

export default defineConfig({
  // A module that waits at its top level, as src/main.jsx does for the session, needs a browser of 2021 or later.
  build: { target: 'es2022' },
  resolve: { alias: from ? [{ find: /^(react|react-dom)(?=$|\/)/, replacement: `${from}$1` }] : [] },
});
