// The task module that piscina and tinypool import in each thread or child.
import { functions } from "../../work/work.mjs"
export default ({ fn, arg }) => functions[fn](arg)
