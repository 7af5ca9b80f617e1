"""`NamedTuple`, as in typing, for modules that are on the clock.

To a type checker this is `typing.NamedTuple`. At run time it makes the same classes without compiling source text for each, which takes
a tenth of the time: with some sixty such classes, 15 ms of every start. Python 3.14 and later keep annotations elsewhere and get the
original.
"""

import sys
from typing import TYPE_CHECKING, Any
from typing import NamedTuple as NamedTuple  # noqa: PLC0414  (said twice: exported on purpose)

if not TYPE_CHECKING and sys.version_info < (3, 14):
    from operator import itemgetter

    try:
        from _collections import _tuplegetter as _getter  # what collections.namedtuple uses itself
    except ImportError:

        def _getter(index: int, doc: str) -> property:
            return property(itemgetter(index), doc=doc)

    def _constructor(name: str, fields: tuple[str, ...], defaults: tuple[object, ...]) -> Any:
        size = len(fields)
        make = tuple.__new__

        def __new__(cls: type, *args: object, **named: object) -> Any:
            if named:
                values = dict(zip(fields[size - len(defaults) :], defaults, strict=True))
                values.update(zip(fields, args, strict=False))
                if len(args) > size or not named.keys() <= set(fields[len(args) :]):
                    raise TypeError(f"{name}() does not take {', '.join(sorted(named))} there")
                values.update(named)
                if len(values) < size:
                    raise TypeError(f"{name}() misses {', '.join(field for field in fields if field not in values)}")
                return make(cls, [values[field] for field in fields])
            missing = size - len(args)
            if missing:
                if missing < 0 or missing > len(defaults):
                    raise TypeError(f"{name}() takes {size} values, not {len(args)}")
                args += defaults[len(defaults) - missing :]
            return make(cls, args)

        return __new__

    def _make(cls: Any, values: Any) -> Any:
        made = tuple.__new__(cls, values)
        if len(made) != len(cls._fields):
            raise TypeError(f"{cls.__name__} takes {len(cls._fields)} values, not {len(made)}")
        return made

    def _replace(self: Any, **values: object) -> Any:
        """Return a copy with some fields changed."""
        unknown = values.keys() - set(self._fields)
        if unknown:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        return type(self)(*[values.get(field, old) for field, old in zip(self._fields, self, strict=True)])

    def _asdict(self: Any) -> dict[str, object]:
        """Return the fields by name."""
        return dict(zip(self._fields, self, strict=True))

    def _repr(self: Any) -> str:
        return f"{type(self).__name__}({', '.join(f'{field}={value!r}' for field, value in zip(self._fields, self, strict=True))})"

    def _getnewargs(self: Any) -> tuple[object, ...]:
        return tuple(self)

    class _Meta(type):
        def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
            if not bases:
                return super().__new__(mcs, name, bases, namespace)
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = tuple(namespace.pop(field) for field in fields if field in namespace)
            namespace |= {
                "__slots__": (),
                "__new__": _constructor(name, fields, defaults),
                "__getnewargs__": _getnewargs,
                "__match_args__": fields,
                "_fields": fields,
                "_field_defaults": dict(zip(fields[len(fields) - len(defaults) :], defaults, strict=True)),
                "_make": classmethod(_make),
                "_replace": _replace,
                "_asdict": _asdict,
            }
            namespace.setdefault("__repr__", _repr)
            for index, field in enumerate(fields):
                namespace[field] = _getter(index, "")
            return type(name, (tuple,), namespace)

    class NamedTuple(metaclass=_Meta):
        """A tuple whose items have names; see typing.NamedTuple."""
