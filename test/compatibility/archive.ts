import { readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';

/** JSON, compressed. The window is larger than all bundles together: what functions share is in it once. */
export function writeArchive(file: URL, content: unknown): void {
  const json = Buffer.from(JSON.stringify(content));
  const params = {
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: json.length,
  };
  writeFileSync(file, brotliCompressSync(json, { params }));
}

/** @returns what was written, which nobody but {@link writeArchive} writes */
export function readArchive<T>(file: URL): T {
  return JSON.parse(brotliDecompressSync(readFileSync(file)).toString()) as T;
}
