// The files of ui/static as bytes of the program.
.section .rodata
.macro embed name, file
.global \name
\name:
.incbin "\file"
.global \name\()_end
\name\()_end:
.byte 0
.endm
embed dkron_ui_index_html, "index.html"
embed dkron_ui_style_css, "style.css"
embed dkron_ui_app_js, "app.js"
.section .note.GNU-stack,"",@progbits
