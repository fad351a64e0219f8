import { join } from 'node:path';
import type { FunctionSettings } from '../function-process.ts';
import { resourcesOf, type Template, textOfValue } from './template.ts';

interface FunctionProperties {
  readonly FunctionName?: string;
  readonly Runtime: string;
  readonly Timeout: number;
  readonly MemorySize: number;
  readonly Code: { readonly S3Key: string };
  readonly Environment?: { readonly Variables: Readonly<Record<string, unknown>> };
}

/** The functions of a stack as they would be deployed, but for the toolkit's own, which have no names: their bundles, and the environment that the template gives them. */
export function deployedFunctions(
  template: Template,
): (FunctionSettings & { env: Record<string, string> })[] {
  return resourcesOf(template, 'AWS::Lambda::Function').flatMap(([, found]) => {
    const properties = found as unknown as FunctionProperties;
    if (properties.FunctionName === undefined) return [];
    const code = template.assets[properties.Code.S3Key.split('.')[0] ?? ''];
    if (code === undefined) throw new Error(`The assembly has no code of ${properties.FunctionName}`);
    const variables = Object.entries(properties.Environment?.Variables ?? {});
    const deployed = {
      name: properties.FunctionName,
      entry: join(code, 'index.mjs'),
      timeoutMs: properties.Timeout * 1_000,
      memoryMb: properties.MemorySize,
      env: Object.fromEntries(variables.map(([name, value]) => [name, textOfValue(value)])),
    };
    return [deployed];
  });
}
