// The one tool that is offered.
export const tool = {
  name: "find_water",
  description: "Finds water near a place.",
  takes: { type: "object", properties: { place: { type: "string" } }, required: ["place"] },
};

// called is a call of it as a job's answer tells it. What is no JSON stays as it came, to be seen.
export function called(name, args) {
  try {
    return name + " " + JSON.stringify(typeof args === "string" ? JSON.parse(args) : args);
  } catch {
    return name + " " + args;
  }
}
