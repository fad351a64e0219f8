import type { StepDefinition, StepDefinitions, WorkflowDefinition } from '../workflow-definition.ts';

/** A step of a valid definition, and where it stands. */
export interface PlacedStep {
  readonly path: string;
  readonly step: StepDefinition;
  readonly scope: PlacedScope;
}

/** The top, a branch, or what is done for each item. */
export interface PlacedScope {
  /** The step that it is inside; null at the top. */
  readonly container: PlacedStep | null;
}

/** Of all scopes, outer ones first. They nest no deeper than was checked. */
export function placedSteps({ steps }: WorkflowDefinition): PlacedStep[] {
  return stepsOf(steps, '', { container: null });
}

function stepsOf(steps: StepDefinitions, at: string, scope: PlacedScope): PlacedStep[] {
  return Object.entries(steps).flatMap(([id, step]) => {
    const placed = { path: `${at}steps.${id}`, step, scope };
    return [placed, ...stepsInside(placed)];
  });
}

function stepsInside(container: PlacedStep): PlacedStep[] {
  const { path, step } = container;
  switch (step.type) {
    case 'parallel':
      return Object.entries(step.branches).flatMap(([name, { steps }]) =>
        stepsOf(steps, `${path}.branches.${name}.`, { container }),
      );
    case 'map':
      return stepsOf(step.steps, `${path}.`, { container });
    default:
      return [];
  }
}
