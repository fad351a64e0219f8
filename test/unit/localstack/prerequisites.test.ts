import { afterEach, expect, test, vi } from 'vitest';
import { findJava, javaMajor } from '../../../localstack/java.ts';
import { megabytesDownloaded } from '../../../localstack/kafka-jars.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test.each([
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['java version "1.8.0_442"', 8],
  ['openjdk version "25" 2025-09-16', 25],
  ['command not found', undefined],
])('%s is Java %s', (text, major) => {
  expect(javaMajor(text)).toBe(major);
});

test('without Java the message says what to do', async () => {
  vi.stubEnv('JAVA_HOME', '/nowhere');
  await expect(findJava()).rejects.toMatchObject({
    code: 'JAVA_MISSING',
    message: `Java is needed for the Kafka broker, and /nowhere/bin/java cannot be run.
  - install Java 17 or newer: apt-get install openjdk-17-jre-headless, brew install openjdk
  - or point JAVA_HOME at one
  - or set KAFKA_BROKERS to a broker of your own
  - or use Docker: docker compose -f localstack/compose.yaml up -d kafka, and KAFKA_BROKERS=localhost:9092`,
  });
});

test.each([
  ['Downloaded from central: https://example.org/kafka.jar (5.4 MB at 9.1 MB/s)', 5.4],
  ['[INFO] Downloaded from central: https://example.org/a.pom (2.0 kB at 17 kB/s)', 0.002],
  ['Downloading from central: https://example.org/kafka.jar', 0],
])('%s adds %s MB', (line, megabytes) => {
  expect(megabytesDownloaded(line)).toBeCloseTo(megabytes, 6);
});
