"""Files at Replicate: inputs of predictions that no public URL leads to."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasPath, AwareDatetime, BaseModel, ConfigDict, Field

# The shape is that of Replicate's OpenAPI document (schemas_file_response).


class UploadedFile(BaseModel):
    """A file that was uploaded. `url` is what an input of a prediction has in its place; Replicate
    deletes the file at `expires_at`, where it tells that."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=200)]
    url: Annotated[str, Field(min_length=1, validation_alias=AliasPath("urls", "get"))]
    expires_at: AwareDatetime | None = None
