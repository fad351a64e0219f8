import { execFileSync, spawn } from 'node:child_process';
import { projectFolder } from '../../localstack/project-folder.ts';
import { eventually } from './eventually.ts';

/** A command in a process group of its own, as a shell starts it in a terminal. */
export interface RunningCommand {
  readonly pid: number;
  /** What it has printed until now, both streams. */
  output(): string;
  /** The output, once there is such a thing in it. Fails when the command ends before. */
  untilPrinted(pattern: RegExp, withinMs?: number): Promise<string>;
  /** Its exit code, or the signal that it died of. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** To the whole group, as Ctrl-C does. */
  signalGroup(signal: NodeJS.Signals): void;
  /** Every process that has been under it, and still runs. */
  stillRunning(): string[];
}

const OFTEN_MS = 50;
// A test's stack is its own, whatever the developer's shell points to.
const variablesOfOthers = ['DATABASE_URL', 'KAFKA_BROKERS', 'PORT', 'AUTH_MODE', 'NODE_OPTIONS'];

export function startCommand(
  file: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): RunningCommand {
  const inherited = Object.entries(process.env).filter(([name]) => !variablesOfOthers.includes(name));
  const child = spawn(file, args, {
    cwd: projectFolder,
    detached: true,
    env: { ...Object.fromEntries(inherited), ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = child.pid as number;
  let output = '';
  let hasExited = false;
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  const seen = new Set<string>();
  const look = () => {
    for (const one of descendantsOf(pid, seen)) seen.add(one);
  };
  const looking = setInterval(look, OFTEN_MS);
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => {
      hasExited = true;
      clearInterval(looking);
      resolve(code ?? (signal as NodeJS.Signals));
    });
  });
  return {
    pid,
    output: () => output,
    async untilPrinted(pattern, withinMs = 180_000) {
      await eventually(
        `${pattern} of ${file} ${args.join(' ')}`,
        () => ({ output, hasExited }),
        (now) => pattern.test(now.output) || now.hasExited,
        withinMs,
      );
      if (!pattern.test(output)) throw new Error(`${file} ended without ${pattern}:\n${output}`);
      return output;
    },
    exited,
    signalGroup(signal) {
      try {
        process.kill(-pid, signal);
      } catch {
        // The group has ended.
      }
    },
    stillRunning() {
      if (!hasExited) look();
      const running = new Set(processes().map(nameOf));
      return [...seen].filter((one) => running.has(one));
    },
  };
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly started: string;
  readonly command: string;
}

/** The pid alone may be another process's by now. */
function nameOf({ pid, started, command }: Process): string {
  return `${pid} (${started}): ${command.slice(0, 1_000)}`;
}

function processes(): Process[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid=,lstart=,args='], { encoding: 'utf8' });
  return rows
    .trim()
    .split('\n')
    .flatMap((row) => {
      const parts = /^\s*(\d+)\s+(\d+)\s+(\S+\s+\S+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/.exec(row);
      if (parts === null) return [];
      const [, pid, parent, started = '', command = ''] = parts;
      return [{ pid: Number(pid), parent: Number(parent), started, command }];
    });
}

/** Those under it, and under what was seen under it before: a child outlives its parent by a moment. */
function descendantsOf(root: number, seen: ReadonlySet<string>): string[] {
  const all = processes();
  const under = new Set([root, ...all.filter((one) => seen.has(nameOf(one))).map(({ pid }) => pid)]);
  for (let size = 0; size !== under.size; ) {
    size = under.size;
    for (const { pid, parent } of all) if (under.has(parent)) under.add(pid);
  }
  return all.filter(({ pid }) => pid !== root && under.has(pid)).map(nameOf);
}
