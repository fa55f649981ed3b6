// piscina and tinypool import this file in each thread or child
import { functions } from "../../work/work.mjs"
export default ({ fn, arg }) => functions[fn](arg)
