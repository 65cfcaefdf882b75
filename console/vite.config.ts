import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Where a server runs that answers `/api` while one works on the console. */
const server = process.env.API_SESSIONS_URL ?? 'http://127.0.0.1:8484';

const proxy = {
  '/api': {
    target: server,
    changeOrigin: true,
    // The server takes changes from its own pages only; here the page comes from Vite.
    configure: (proxy: {
      on(event: 'proxyReq', then: (request: { removeHeader(name: string): void }) => void): void;
    }) =>
      proxy.on('proxyReq', (request) => {
        for (const name of ['origin', 'sec-fetch-site']) request.removeHeader(name);
      }),
  },
};

export default defineConfig({
  plugins: [react()],
  cacheDir: 'dist/.vite',
  server: { proxy, host: '127.0.0.1' },
  preview: { proxy, host: '127.0.0.1' },
  // No data: addresses, the policy of the server does not allow them; and nothing that needs an inline script.
  build: { target: 'es2023', assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 800 },
});
