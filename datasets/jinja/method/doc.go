// Package method has the attributes and methods of Python's types, and the sandbox of Jinja that guards them: what
// begins with an underscore and what changes a list or dict does not exist for a template.
package method
