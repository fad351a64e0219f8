import { readFileSync } from 'node:fs';
import { App, type AppProps } from 'aws-cdk-lib';
import { readSettings } from '../../infra/config/read-settings.ts';
import { createStepline, type Stepline } from '../../infra/create-stepline.ts';

const cdkJson = new URL('../../cdk.json', import.meta.url);

/** The app as `cdk synth -c name=value …` makes it, in this process. Nothing is written before `app.synth()`. */
export function createDeployment(
  context: Readonly<Record<string, unknown>>,
  props: AppProps = {},
): { app: App; stepline: Stepline } {
  const { context: flags } = JSON.parse(readFileSync(cdkJson, 'utf8')) as {
    context: Record<string, unknown>;
  };
  const app = new App({ ...props, context: { ...flags, ...context }, analyticsReporting: false });
  return { app, stepline: createStepline(app, readSettings(context)) };
}
