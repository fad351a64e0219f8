import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/*
 * `npm run synth:check`: every environment is synthesised as the toolkit does it, without a network, and its templates are linted
 * by cfn-lint. That one is Python's: where Python is not, it is left out, and this says so.
 */
const root = fileURLToPath(new URL('../../', import.meta.url));
const venv = join(root, '.venv');
const CFN_LINT = 'cfn-lint==1.58.0';

function run(command: string, args: readonly string[]): boolean {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  return error === undefined && status === 0;
}

function hasCfnLint(): boolean {
  if (existsSync(join(venv, 'bin', 'cfn-lint'))) return true;
  const python = spawnSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' });
  if (python.error !== undefined || python.status !== 0) return false;
  return (
    run('python3', ['-m', 'venv', venv]) && run(join(venv, 'bin', 'pip'), ['install', '--quiet', CFN_LINT])
  );
}

function templatesOf(environment: string, output: string): string[] {
  const synthesised = run('cdk', ['synth', '--quiet', '--output', output, '-c', `env=${environment}`]);
  if (!synthesised) throw new Error(`${environment} cannot be synthesised: what is above says why`);
  return readdirSync(output)
    .filter((name) => name.endsWith('.template.json'))
    .map((name) => join(output, name));
}

const folder = mkdtempSync(join(tmpdir(), 'stepline-synth-'));
try {
  const templates = ['local', 'dev', 'prod'].flatMap((each) => templatesOf(each, join(folder, each)));
  if (!hasCfnLint()) console.log(`Skipped: ${CFN_LINT} needs python3 with venv, which is not here`);
  // W3005: the toolkit writes down dependencies that references imply.
  else if (!run(join(venv, 'bin', 'cfn-lint'), ['--ignore-checks', 'W3005', '--', ...templates]))
    process.exitCode = 1;
  else console.log(`cfn-lint has nothing to say about ${templates.length} templates`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
