import { mount } from "svelte";

import "../app.css";
import "./print.css";
import { readStudy } from "./data";
import Report from "./Report.svelte";

// Canvases draw with what is there: the fonts stand in the page, and are read before the first plot.
const families = ["400", "600"].map((weight) => document.fonts.load(`${weight} 12px "IBM Plex Sans Thai"`, "A\u0e01"));
await Promise.allSettled(families);
mount(Report, { target: document.getElementById("page")!, props: { study: readStudy() } });
