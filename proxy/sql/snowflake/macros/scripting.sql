-- A variable of a script, by its name in the engine; GETVARIABLE is about the session's variables.
CREATE OR REPLACE MACRO _sf.main.script_variable(name) AS getvariable(name);
