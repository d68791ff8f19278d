//! Shows results: Markdown tables and SVG plots for the documents, one self-contained HTML page for a browser.
