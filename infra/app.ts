import { App } from 'aws-cdk-lib';
import { ContextError } from './config/read-context.ts';
import { readSettings } from './config/read-settings.ts';
import { createStepline } from './create-stepline.ts';

try {
  const app = new App();
  createStepline(app, readSettings(app.node.getAllContext()));
  app.synth();
} catch (error) {
  // What is wrong with the context is said in full; where it was found out is of no use to anybody.
  if (!(error instanceof ContextError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
