-- What hatidata_context and hatidata_rag_context order by.

CREATE OR REPLACE MACRO _sf.main.common_words_(said, asked) AS
  list_sum(list_transform(list_distinct(regexp_extract_all(lower(asked), '\w+')),
    lambda word: CAST(list_contains(regexp_extract_all(lower(said), '\w+'), word) AS INTEGER)));

CREATE OR REPLACE MACRO _sf.main.likeness_(kept, asked) AS
  CASE WHEN kept IS NOT NULL
       THEN list_cosine_similarity(CAST(kept AS DOUBLE[]), CAST(asked AS DOUBLE[])) END;
