/** A name and a message that would run code, were it read as HTML. */
export const hostile = "<img src=x onerror=alert(1)></td><script>alert(2)</script>"
