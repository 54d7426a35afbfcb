// What the studio's editor takes from CodeMirror 6: bundled by ../vendor.py, used by static/editor.js.
export { EditorState, Compartment } from "@codemirror/state";
export {
  EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars,
  keymap, lineNumbers,
} from "@codemirror/view";
export { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
export { HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
export { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
export { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
export { lintGutter, setDiagnostics } from "@codemirror/lint";
export { python } from "@codemirror/lang-python";
export { json } from "@codemirror/lang-json";
export { yaml } from "@codemirror/lang-yaml";
export { tags } from "@lezer/highlight";
