import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { StartError, useOtherKafka } from './start-error.ts';

const oldestJavaForKafka4 = 17;

/** The Java to run the broker with: `JAVA_HOME`'s, else the one on the path. */
export async function findJava(): Promise<string> {
  const home = process.env.JAVA_HOME;
  const java = home ? join(home, 'bin', 'java') : 'java';
  const install = [
    'install Java 17 or newer: apt-get install openjdk-17-jre-headless, brew install openjdk',
    'or point JAVA_HOME at one',
    ...useOtherKafka,
  ];
  let version: string;
  try {
    // Every Java answers this on stderr.
    version = (await promisify(execFile)(java, ['-version'])).stderr;
  } catch (cause) {
    throw new StartError(
      'JAVA_MISSING',
      `Java is needed for the Kafka broker, and ${java} cannot be run.`,
      install,
      cause,
    );
  }
  const major = javaMajor(version);
  if (major === undefined || major < oldestJavaForKafka4) {
    const found = version.split('\n')[0]?.trim();
    throw new StartError(
      'JAVA_MISSING',
      `The Kafka broker needs Java ${oldestJavaForKafka4}; ${java} is ${found}.`,
      install,
    );
  }
  return java;
}

/** `openjdk version "17.0.15"` is 17, and Java 8 says `1.8.0`. */
export function javaMajor(versionText: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(versionText);
  return match ? Number(match[1]) : undefined;
}
