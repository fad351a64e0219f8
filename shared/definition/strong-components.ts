/** A graph's nodes are 0 … n-1; `next[i]` is where the edges of node i lead. */
export type Graph = readonly (readonly number[])[];

/**
 * Which strongly connected component each node is in: those that lead to one another share a number, and an edge never leads from
 * a lower number to a higher one. (Tarjan, without recursion: the graph is as deep as its author likes.)
 */
export function strongComponents(next: Graph): readonly number[] {
  const component: number[] = next.map(() => -1);
  const order: number[] = next.map(() => -1);
  const low: number[] = next.map(() => -1);
  const edge: number[] = next.map(() => 0);
  const unassigned: number[] = [];
  let visited = 0;
  let components = 0;

  function visit(root: number): void {
    const path = [root];
    for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
      if (order[node] === -1) {
        order[node] = low[node] = visited++;
        unassigned.push(node);
      }
      const to = next[node]![edge[node]!++];
      if (to !== undefined) {
        if (order[to] === -1) path.push(to);
        else if (component[to] === -1) low[node] = Math.min(low[node]!, order[to]!);
        continue;
      }
      path.pop();
      const above = path.at(-1);
      if (above !== undefined) low[above] = Math.min(low[above]!, low[node]!);
      if (low[node] === order[node]) {
        for (let member = -1; member !== node; ) {
          member = unassigned.pop()!;
          component[member] = components;
        }
        components++;
      }
    }
  }

  for (const root of next.keys()) if (order[root] === -1) visit(root);
  return component;
}

/** Which nodes lie on a cycle. */
export function nodesOnCycles(next: Graph, component = strongComponents(next)): readonly boolean[] {
  const sizes: number[] = [];
  for (const of of component) sizes[of] = (sizes[of] ?? 0) + 1;
  return next.map((edges, node) => sizes[component[node]!]! > 1 || edges.includes(node));
}

/** Which nodes the given ones lead to, themselves included. */
export function reachedFrom(starts: Iterable<number>, next: Graph): readonly boolean[] {
  const reached: boolean[] = next.map(() => false);
  const open = [...starts];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (reached[node]) continue;
    reached[node] = true;
    open.push(...next[node]!);
  }
  return reached;
}

/** The same edges, the other way. */
export function reversed(next: Graph): Graph {
  const back: number[][] = next.map(() => []);
  for (const [from, edges] of next.entries()) for (const to of edges) back[to]!.push(from);
  return back;
}
