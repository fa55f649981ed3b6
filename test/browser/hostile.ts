/** A name and a message that would run code if a page inserted them as HTML. */
export const hostile = "<img src=x onerror=alert(1)></td><script>alert(2)</script>"
