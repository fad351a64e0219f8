import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { afterEach, expect, test } from 'vitest';
import { createDeployment } from '../support/synthesise.ts';

interface Report {
  readonly pluginReports: readonly {
    readonly pluginName: string;
    readonly violations: readonly {
      readonly ruleName: string;
      readonly violatingConstructs: readonly { readonly constructPath: string }[];
    }[];
  }[];
}

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** What nobody has acknowledged, as `rule at construct`. */
function findingsOf(context: Record<string, unknown>): string[] {
  const outdir = mkdtempSync(join(tmpdir(), 'stepline-nag-'));
  folders.push(outdir);
  const { app } = createDeployment(context, { outdir });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
  try {
    app.synth();
  } catch (error) {
    // So the toolkit fails an app that has findings; here they are the test's to judge.
    if ((error as Error).name !== 'ValidationFailed') throw error;
  }
  const report = JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8')) as Report;
  expect(report.pluginReports.map(({ pluginName }) => pluginName)).toEqual(['AwsSolutions', 'Serverless']);
  return report.pluginReports.flatMap(({ violations }) =>
    violations.flatMap(({ ruleName, violatingConstructs }) =>
      violatingConstructs.map(({ constructPath }) => `${ruleName} at ${constructPath}`),
    ),
  );
}

/** Agents that speak Kafka come and go without a deployment: their topics are known by a prefix, of our own topics no one has it. */
const agentTopics = (name: string) =>
  expect.stringMatching(
    new RegExp(
      `^AwsSolutions-IAM5\\[Resource::.*:topic/.*/agent\\.\\*\\] at Functions/${name}/Role/DefaultPolicy/Resource$`,
    ),
  );

test.each(['prod', 'dev'])('%s has no finding that is not explained', (env) => {
  expect(findingsOf({ env })).toEqual([
    agentTopics('Api'),
    agentTopics('StepExecutor'),
    agentTopics('Timekeeper'),
  ]);
});

test('nor has a deployment on an instance and serverless Kafka', () => {
  expect(findingsOf({ env: 'prod', database: 'instance', kafka: 'serverless' })).toEqual([
    agentTopics('Api'),
    agentTopics('StepExecutor'),
    agentTopics('Timekeeper'),
  ]);
});

test('nor has one on an emulator, whose Kafka takes whoever comes', () => {
  expect(findingsOf({ env: 'local' })).toEqual([]);
});
