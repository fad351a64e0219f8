import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));
const made = new Map<string, string>();
let folder: string | undefined;

/**
 * The function as it is deployed: minified ES modules with source maps, in a folder of their own. What is imported dynamically
 * stays in files of its own, so that a cold start reads only what it needs. Made once in a process.
 * @returns the folder; its `index.mjs` exports `handler`
 */
export function bundleFunction(functionName: string): string {
  const known = made.get(functionName);
  if (known !== undefined) return known;
  const outdir = join(temporaryFolder(), functionName);
  buildSync({
    absWorkingDir: root,
    entryPoints: { index: entryOf(functionName) },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    mainFields: ['module', 'main'],
    minify: true,
    // Logs and answers carry the names of errors.
    keepNames: true,
    sourcemap: 'linked',
    sourcesContent: false,
    // Optional in pg, and native.
    external: ['pg-native'],
    // CommonJS packages in an ES module ask for `require`.
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);",
    },
    logLevel: 'error',
  });
  if (functionName === 'migrate') {
    for (const sql of ['migrations', 'functions'])
      cpSync(join(root, 'shared/persistence', sql), join(outdir, sql), { recursive: true });
  }
  made.set(functionName, outdir);
  return outdir;
}

/** Of its modules, source maps apart. */
export function bundleBytes(bundle: string): number {
  const modules = readdirSync(bundle).filter((name) => name.endsWith('.mjs'));
  return modules.reduce((sum, name) => sum + statSync(join(bundle, name)).size, 0);
}

function entryOf(functionName: string): string {
  return `functions/${functionName}/index.ts`;
}

/** The toolkit copies each bundle into cdk.out. */
function temporaryFolder(): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'stepline-bundles-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  return folder;
}
