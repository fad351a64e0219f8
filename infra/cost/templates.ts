import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import type { EnvironmentName } from '../config/environments.ts';
import { readSettings } from '../config/read-settings.ts';
import { createStepline } from '../create-stepline.ts';

export type Properties = Readonly<Record<string, unknown>>;

/** Every resource of an environment's stacks, as CloudFormation gets them. */
export class Templates {
  readonly #resources: readonly { readonly Type: string; readonly Properties?: Properties }[];

  constructor(environment: EnvironmentName) {
    const stepline = createStepline(new App(), readSettings({ env: environment }));
    const stacks = Object.values(stepline).filter((stack) => stack !== null);
    this.#resources = stacks.flatMap((stack) => Object.values(Template.fromStack(stack).toJSON().Resources));
  }

  all(type: string): Properties[] {
    return this.#resources.flatMap(({ Type, Properties = {} }) => (Type === type ? [Properties] : []));
  }

  count(type: string): number {
    return this.all(type).length;
  }

  /** In GiB. */
  memoryOf(functionName: string): number {
    const found = this.all('AWS::Lambda::Function').find(({ FunctionName }) => FunctionName === functionName);
    if (found === undefined) throw new Error(`The templates have no function ${functionName}`);
    return Number(found.MemorySize) / 1024;
  }
}
