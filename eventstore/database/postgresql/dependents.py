"""What a table of PostgreSQL has apart from its rows, and what refers to it: both decide whether it can be replaced.

A replacement has the name of the table, but not its identity. The table's properties are put on the replacement. Other
objects that refer to the table would be lost, or would prevent its drop: they are obstacles.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

_COLUMNS = bindparam("columns", type_=ARRAY(Text))

#: Name every object that depends on the table, its columns or its row type, unless it is the table's own, or `put_on`
#: puts it on the replacement. Names like `ix_items_...` are the code's, see `eventstore.log.tables.metadata`.
_OBSTACLES = text(
    """
    WITH the AS (
        SELECT pg_class.oid AS id, relname AS name, reltype, typarray
        FROM pg_class JOIN pg_type ON pg_type.oid = reltype WHERE pg_class.oid = CAST(CAST(:table AS text) AS regclass)
    ), dependent AS (
        SELECT classid, objid, objsubid, refobjsubid AS number, deptype FROM the JOIN pg_depend
            ON refclassid = CAST('pg_class' AS regclass) AND refobjid = id
            OR refclassid = CAST('pg_type' AS regclass) AND refobjid IN (reltype, typarray)
    ), gone AS (
        SELECT attnum FROM the JOIN pg_attribute ON attrelid = id
        WHERE attnum > 0 AND NOT attisdropped AND attname <> ALL (:columns)
    ), put_on AS (
        SELECT CAST('pg_policy' AS regclass) AS class, pg_policy.oid AS object FROM the JOIN pg_policy ON polrelid = id
        UNION ALL SELECT CAST('pg_publication_rel' AS regclass), pg_publication_rel.oid
            FROM the JOIN pg_publication_rel ON prrelid = id JOIN pg_publication ON pg_publication.oid = prpubid
            WHERE pg_has_role(pubowner, 'MEMBER')
        UNION ALL SELECT CAST('pg_class' AS regclass), indexrelid FROM the JOIN pg_index ON indrelid = id
    ), own AS (
        SELECT CAST('pg_constraint' AS regclass) AS class, pg_constraint.oid AS object
            FROM the JOIN pg_constraint ON conrelid = id
            WHERE contype = 'n' OR conname = 'pk_' || name OR starts_with(conname, 'ck_' || name || '_')
        UNION ALL SELECT CAST('pg_class' AS regclass), indexrelid
            FROM the JOIN pg_index ON indrelid = id JOIN pg_class ON pg_class.oid = indexrelid
            WHERE starts_with(relname, 'ix_' || name || '_')
    )
    SELECT DISTINCT CASE
        WHEN rulename = '_RETURN' THEN pg_describe_object(CAST('pg_class' AS regclass), ev_class, 0)
        ELSE pg_describe_object(classid, objid, objsubid) END
    FROM dependent LEFT JOIN pg_rewrite ON classid = CAST('pg_rewrite' AS regclass) AND pg_rewrite.oid = objid
    WHERE deptype IN ('n', 'a') AND (classid, objid) NOT IN (SELECT class, object FROM own)
        AND NOT (classid = CAST('pg_attrdef' AS regclass) AND number IN (SELECT attnum FROM gone))
        AND ((classid, objid) NOT IN (SELECT class, object FROM put_on) OR number IN (SELECT attnum FROM gone))
    ORDER BY 1
    """
).bindparams(_COLUMNS)

#: Build the statements that put on the table `table` the owner and the grants of the table `model`.
_RIGHTS = """
    WITH the AS (SELECT CAST(:table AS text) AS name, CAST(CAST(:model AS text) AS regclass) AS id)
    SELECT 1, format('ALTER TABLE %I OWNER TO %I', name, pg_get_userbyid(relowner))
    FROM the JOIN pg_class ON oid = id AND pg_get_userbyid(relowner) <> current_user
    UNION ALL
    SELECT 2, format('GRANT %s ON %I TO %s%s', privilege_type, name,
                     CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
                     CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM the JOIN pg_class ON oid = id CROSS JOIN aclexplode(relacl) WHERE grantee <> relowner
"""
_RIGHTS_ALONE = text(" ".join((_RIGHTS, "ORDER BY 1")))

#: Of all other properties of the table and of its columns that `table` has.
_MORE = """
    UNION ALL
    SELECT 3, format('GRANT %s (%I) ON %I TO %s%s', privilege_type, attname, name,
                     CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
                     CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM the JOIN pg_attribute ON attrelid = id AND attname = ANY (:columns) CROSS JOIN aclexplode(attacl)
    UNION ALL
    SELECT 4, format('ALTER TABLE %I SET (%s)', name, array_to_string(options, ', '))
    FROM the JOIN pg_class held ON held.oid = id LEFT JOIN pg_class toast ON toast.oid = held.reltoastrelid
    CROSS JOIN LATERAL (
        SELECT array_agg(option) AS options FROM (
            SELECT unnest(held.reloptions) AS option UNION ALL SELECT 'toast.' || unnest(toast.reloptions)
        ) AS every_option
    ) AS both_kinds WHERE options IS NOT NULL
    UNION ALL
    SELECT 5, format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name)
    FROM the JOIN pg_class ON oid = id WHERE relrowsecurity
    UNION ALL
    SELECT 5, format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name)
    FROM the JOIN pg_class ON oid = id WHERE relforcerowsecurity
    UNION ALL
    SELECT 6, format('CREATE POLICY %I ON %I AS %s FOR %s TO %s%s%s', polname, name,
                     CASE WHEN polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                     CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                 WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                     (SELECT string_agg(CASE one WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(one)) END, ', ')
                      FROM unnest(polroles) AS one),
                     ' USING (' || pg_get_expr(polqual, polrelid) || ')',
                     ' WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')')
    FROM the JOIN pg_policy ON polrelid = id
    UNION ALL
    SELECT 7, format('COMMENT ON TABLE %I IS %L', name, description)
    FROM the JOIN pg_description ON objoid = id AND classoid = CAST('pg_class' AS regclass) AND objsubid = 0
    UNION ALL
    SELECT 7, format('COMMENT ON COLUMN %I.%I IS %L', name, attname, description)
    FROM the JOIN pg_description ON objoid = id AND classoid = CAST('pg_class' AS regclass)
    JOIN pg_attribute ON attrelid = id AND attnum = objsubid AND attname = ANY (:columns)
    UNION ALL
    SELECT 8, format('ALTER TABLE %I ALTER COLUMN %I SET STATISTICS %s', name, attname, attstattarget)
    FROM the JOIN pg_attribute ON attrelid = id AND attname = ANY (:columns) AND attstattarget >= 0
    UNION ALL
    SELECT 9, format('ALTER PUBLICATION %I ADD TABLE %I%s%s', pubname, name,
                     (SELECT ' (' || string_agg(quote_ident(attname), ', ' ORDER BY attnum) || ')' FROM pg_attribute
                      WHERE attrelid = prrelid AND attnum = ANY (prattrs)),
                     ' WHERE (' || pg_get_expr(prqual, prrelid) || ')')
    FROM the JOIN pg_publication_rel ON prrelid = id JOIN pg_publication ON pg_publication.oid = prpubid
    UNION ALL
    SELECT 10, format('ALTER TABLE %I REPLICA IDENTITY %s', name, CASE relreplident
                      WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE format('USING INDEX %I', (
                          SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid
                          WHERE indrelid = id AND indisreplident)) END)
    FROM the JOIN pg_class ON oid = id WHERE relreplident <> 'd'
    ORDER BY 1
"""
_PROPERTIES = text(" ".join((_RIGHTS, _MORE))).bindparams(_COLUMNS)

#: Build the statements that create on `shadow` the indexes of `table` that are not the code's, each with a suffix.
_INDEXES = text(
    """
    WITH the AS (
        SELECT pg_class.oid AS id, relname AS name, nspname AS schema
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = CAST(CAST(:table AS text) AS regclass)
    ), found AS (
        SELECT name, schema, relname, pg_get_indexdef(indexrelid) AS definition,
            CASE WHEN indisunique THEN 'UNIQUE ' ELSE '' END AS kind
        FROM the JOIN pg_index ON indrelid = id AND indisvalid JOIN pg_class ON pg_class.oid = indexrelid
        WHERE NOT starts_with(relname, 'ix_' || name || '_')
            AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND conrelid = id)
    )
    SELECT format('CREATE %sINDEX %I ON %I %s', kind, relname || CAST(:suffix AS text), CAST(:shadow AS text),
                  substr(definition, 1 + length(format('CREATE %sINDEX %I ON %I.%I ', kind, relname, schema, name))))
    FROM found WHERE relname || CAST(:suffix AS text) NOT IN (
        SELECT indexname FROM pg_indexes WHERE schemaname = schema AND tablename = CAST(:shadow AS text)
    ) ORDER BY relname
    """
)


def obstacles(connection: Connection, table: str, columns: Collection[str]) -> list[str]:
    """Name the objects that a replacement of `table`, with `columns`, would lose or that would prevent it."""
    return list(connection.execute(_OBSTACLES, {"table": table, "columns": list(columns)}).scalars())


def put_on(connection: Connection, table: str, columns: Collection[str]) -> Sequence[str]:
    """Return the statements that put on a table of that name, with `columns`, what is on the table now."""
    names = {"table": table, "model": table, "columns": list(columns)}
    return [statement for _, statement in connection.execute(_PROPERTIES, names)]


def put_on_rights(connection: Connection, table: str, model: str) -> Sequence[str]:
    """Return the statements that put on `table` the owner and the grants of another table, `model`."""
    return [statement for _, statement in connection.execute(_RIGHTS_ALONE, {"table": table, "model": model})]


def missing_indexes(connection: Connection, table: str, shadow: str, suffix: str) -> Sequence[str]:
    """Return the statements that create on `shadow` the operator's indexes of `table` that it lacks, with `suffix`."""
    names = {"table": table, "shadow": shadow, "suffix": suffix}
    return list(connection.execute(_INDEXES, names).scalars())
