"""`--gpus` as compose says it: a list of device requests."""

from hardener.sources.write.texts import literal


def requests(text: str) -> list[object]:
    """Return what one `--gpus` value asks for: a count, or fields such as `"device=0,1",capabilities=compute`."""
    from csv import reader

    out: dict[str, object] = {}
    for field in next(reader([text]), []):
        name, equals, value = field.partition("=")
        if not equals:
            name, value = "count", field
        if name == "count":
            out["count"] = literal(value)
        elif name == "device":
            out["device_ids"] = [literal(device) for device in value.split(",")]
        elif name == "capabilities":
            out["capabilities"] = [literal(capability) for capability in value.split(",")]
        elif name == "driver":
            out["driver"] = literal(value)
    return [out]
