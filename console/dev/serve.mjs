// npm run dev: the page with hot reload, over the made-up city, or over a running Lamppost when LAMPPOST_URL names one.
import { createServer } from 'vite';
import { createMock } from './mock/server.mjs';

const api = process.env.LAMPPOST_URL ?? (await createMock().listen());
const server = await createServer({ server: { proxy: { '/api': { target: api, changeOrigin: true } } } });
await server.listen();
server.printUrls();
