// Puts a .gz beside every text file of dist that gains by it; embed.go serves them.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const text = new Set(['.html', '.js', '.mjs', '.css', '.svg', '.json']);
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !text.has(path.extname(entry.name))) continue;
  const name = path.join(entry.parentPath, entry.name);
  const plain = readFileSync(name);
  const zipped = gzipSync(plain, { level: 9 });
  if (zipped.length < plain.length * 0.9) writeFileSync(`${name}.gz`, zipped);
}
