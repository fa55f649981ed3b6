/** What to look at when a boot took too long, by the step it had reached. */
export const hintOf = (phase: string): string => {
  switch (phase) {
    case "beforeBoot":
      return "the beforeBoot hook or the launch took the whole bootTimeout"
    case "connected":
      return "it connected but never served; are its services slow to build? raise `bootTimeout`"
    default:
      return "its program runs but never served; does its entry call Flame.main or FlameRunner.serve, and is nothing in its way before that? else raise `bootTimeout`"
  }
}
