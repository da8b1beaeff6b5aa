// uplot.js exports this, of this type.
export { default } from "uplot";
