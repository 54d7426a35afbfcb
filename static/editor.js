// A text area with data-editor="python", "json" or "yaml" becomes an editor, with any other word one
// without colours. The text area stays the field of the form: it holds the text at every moment, and
// events of typing come from it. data-sends names the button that Ctrl+Enter presses.
// Tab leaves the editor, as it leaves any field; Ctrl or Cmd with ] and [ moves lines in and out.
"use strict";

(() => {
  const C = CodeMirror;
  const languages = { python: C.python, json: C.json, yaml: C.yaml };
  const editors = new Map();

  // The page's own variables, so that both themes hold; what the editor injects beats the layers.
  const theme = C.EditorView.theme({
    "&": { color: "var(--text)", backgroundColor: "var(--code-bg)", font: "var(--m-12)", blockSize: "100%" },
    "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "var(--outline-at, -2px)" },
    ".cm-scroller": { font: "var(--m-12)", lineHeight: "1.6", overflow: "auto" },
    ".cm-content": { caretColor: "var(--text)", paddingBlock: "12px" },
    ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--text)" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--accent-line)" },
    ".cm-gutters": { color: "var(--text-3)", backgroundColor: "var(--code-bg)", border: "0" },
    ".cm-lineNumbers .cm-gutterElement": { paddingInline: "12px 10px", minInlineSize: "44px" },
    ".cm-activeLine": { backgroundColor: "color-mix(in oklab, var(--accent-soft) 45%, transparent)" },
    ".cm-activeLineGutter": { color: "var(--text)", backgroundColor: "color-mix(in oklab, var(--accent-soft) 45%, transparent)" },
    "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent-line)" },
    ".cm-selectionMatch": { backgroundColor: "var(--surface-3)" },
    ".cm-searchMatch": { backgroundColor: "var(--warn-soft)", outline: "1px solid var(--warn)" },
    ".cm-panels": { color: "var(--text)", backgroundColor: "var(--surface)", borderColor: "var(--line)" },
    ".cm-panel.cm-search": { font: "var(--t-12)", padding: "6px 8px" },
    ".cm-textfield": { color: "var(--text)", backgroundColor: "var(--surface)", borderColor: "var(--line-control)", font: "var(--t-12)" },
    ".cm-button": { color: "var(--text)", background: "var(--surface-2)", borderColor: "var(--line-strong)", font: "var(--t-12)" },
    ".cm-tooltip": { color: "var(--text)", backgroundColor: "var(--overlay)", border: "1px solid var(--line-strong)" },
    ".cm-diagnostic": { font: "var(--t-12)" },
    ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
    ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad)", textUnderlineOffset: "3px" },
  });
  const { tags } = C;
  const colours = C.HighlightStyle.define([
    { tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.self, tags.null, tags.bool], color: "var(--code-key)" },
    { tag: [tags.string, tags.special(tags.string)], color: "var(--code-str)" },
    { tag: [tags.number], color: "var(--code-num)" },
    { tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.definition(tags.className), tags.propertyName, tags.meta], color: "var(--code-fn)" },
    { tag: [tags.comment], color: "var(--code-com)" },
  ]);

  const say = (area, type) => area.dispatchEvent(new Event(type, { bubbles: true }));

  function enliven(area) {
    const label = area.labels?.[0];
    const form = area.form;
    const language = languages[area.dataset.editor];
    const place = area.closest("section, form")?.querySelector("[data-place]");
    const tell = (state) => {
      if (!place) return;
      const line = state.doc.lineAt(state.selection.main.head);
      place.textContent = `Ln ${line.number}, Col ${state.selection.main.head - line.from + 1}`;
    };
    const attributes = { tabindex: "0", "aria-label": label?.textContent.trim() || "Code", spellcheck: "false", autocorrect: "off", autocapitalize: "off" };
    for (const name of ["aria-invalid", "aria-describedby"]) if (area.hasAttribute(name)) attributes[name] = area.getAttribute(name);
    const view = new C.EditorView({
      doc: area.value,
      extensions: [
        C.lineNumbers(), C.highlightActiveLineGutter(), C.highlightSpecialChars(), C.history(), C.drawSelection(),
        C.indentOnInput(), C.bracketMatching(), C.closeBrackets(), C.highlightActiveLine(), C.highlightSelectionMatches(),
        C.search({ top: true }), C.lintGutter(), C.EditorState.tabSize.of(4), C.indentUnit.of("    "),
        C.syntaxHighlighting(colours), theme, ...(language ? [language()] : []),
        // Ctrl+Enter saves or sends, as everywhere in the form
        C.keymap.of([
          { key: "Mod-Enter", run: () => { form?.requestSubmit(area.dataset.sends && document.getElementById(area.dataset.sends)); return Boolean(form); } },
          ...C.closeBracketsKeymap, ...C.defaultKeymap, ...C.searchKeymap, ...C.historyKeymap,
        ]),
        C.EditorView.contentAttributes.of(attributes),
        C.EditorState.readOnly.of(area.readOnly),
        C.EditorView.updateListener.of((update) => {
          if (update.docChanged && area.value !== update.state.doc.toString()) {
            area.value = update.state.doc.toString();
            say(area, "input");
          }
          if (update.docChanged || update.selectionSet) tell(update.state);
        }),
      ],
    });
    // Whatever else writes into the field: a fill button, a draft that comes back.
    area.addEventListener("input", () => {
      const now = view.state.doc.toString();
      if (area.value !== now) view.dispatch({ changes: { from: 0, to: now.length, insert: area.value } });
    });
    view.contentDOM.addEventListener("blur", () => say(area, "change"));
    label?.addEventListener("click", (event) => { event.preventDefault(); view.focus(); });
    const hadFocus = document.activeElement === area;
    area.after(view.dom);
    area.hidden = true;
    if (hadFocus) view.focus();
    area.removeAttribute("required");  // what is hidden cannot be pointed at; the studio says it
    editors.set(area, view);
    tell(view.state);
  }

  // An element with data-fault-line tells where the source cannot be read.
  function mark() {
    const fault = document.querySelector("[data-fault-line]");
    for (const view of editors.values()) {
      const { doc } = view.state;
      const line = fault && doc.line(Math.min(doc.lines, Math.max(1, Number(fault.dataset.faultLine))));
      const found = line ? [{ from: line.from, to: line.to, severity: "error", message: fault.textContent.trim() }] : [];
      view.dispatch(C.setDiagnostics(view.state, found));
    }
  }

  for (const area of document.querySelectorAll("textarea[data-editor]")) enliven(area);
  if (document.querySelector("[data-fault-line]")) mark();
  document.addEventListener("htmx:after:swap", () => {
    for (const area of document.querySelectorAll("textarea[data-editor]")) if (!editors.has(area)) enliven(area);
    for (const area of [...editors.keys()]) if (!area.isConnected) { editors.get(area).destroy(); editors.delete(area); }
    mark();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-go-line]");
    const [view] = editors.values();
    if (!link || !view) return;
    event.preventDefault();
    const line = view.state.doc.line(Math.min(view.state.doc.lines, Math.max(1, Number(link.dataset.goLine))));
    view.dispatch({ selection: { anchor: line.from, head: line.to }, effects: C.EditorView.scrollIntoView(line.from, { y: "center" }) });
    view.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "s" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    const [area] = editors.keys();
    if (!area?.form || area.dataset.sends) return;
    event.preventDefault();
    area.form.requestSubmit();
  });
})();
