import { Template } from 'aws-cdk-lib/assertions';
import { createDeployment } from '../support/synthesise.ts';

export interface Deployed {
  readonly network: Template;
  readonly data: Template;
  readonly kafka: Template;
  readonly functions: Template;
}

/** The templates of an environment that has a network. */
export function deploy(context: Readonly<Record<string, unknown>>): Deployed {
  const { network, data, kafka, functions } = createDeployment(context).stepline;
  if (network === null || kafka === null)
    throw new Error('This environment takes its servers as existing ones');
  return {
    network: Template.fromStack(network),
    data: Template.fromStack(data),
    kafka: Template.fromStack(kafka),
    functions: Template.fromStack(functions),
  };
}

type Properties = Readonly<Record<string, unknown>>;

export function propertiesOf(template: Template, type: string): Properties[] {
  return Object.values(template.findResources(type)).map(({ Properties }) => Properties as Properties);
}
