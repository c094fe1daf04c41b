from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from trainer.errors import TreeError
from trainer.preparing.headers import Header, read_header, redraw

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (48, 32)
RED, BLUE = (250, 0, 0), (0, 0, 250)


def draw(path: Path, kind: str, mode: str = "RGB", orientation: int = 0) -> Path:
    """Red, with a blue corner at the upper left."""
    image = Image.new("RGB", SIZE, RED)
    image.paste(BLUE, (0, 0, 16, 16))
    options = {}
    if orientation:
        exif = image.getexif()
        exif[0x0112] = orientation
        options["exif"] = exif
    image.convert(mode).save(path, kind, **options)
    return path


@pytest.mark.parametrize(
    ("kind", "mode", "ending", "redrawn"),
    [
        pytest.param("JPEG", "RGB", ".jpg", False, id="JPEG"),
        pytest.param("JPEG", "L", ".jpg", False, id="grey JPEG"),
        pytest.param("JPEG", "CMYK", ".jpg", True, id="JPEG for print"),
        pytest.param("PNG", "RGB", ".png", False, id="PNG"),
        pytest.param("PNG", "P", ".png", False, id="PNG with a palette"),
        pytest.param("PNG", "I;16", ".png", False, id="PNG with 16 bits"),
        pytest.param("BMP", "RGB", ".png", True, id="BMP, whose label the original does not find"),
        pytest.param("GIF", "P", ".png", True, id="GIF"),
        pytest.param("TIFF", "CMYK", ".png", True, id="TIFF for print"),
        pytest.param("TIFF", "F", ".png", True, id="TIFF of real numbers"),
        pytest.param("WEBP", "RGB", ".png", True, id="WEBP"),
    ],
)
def test_formats(tmp_path: Path, kind: str, mode: str, ending: str, redrawn: bool) -> None:  # noqa: FBT001 - a table's column
    place = draw(tmp_path / "1", kind, "L" if mode == "I;16" else mode)
    if mode == "I;16":
        Image.new("I;16", SIZE).save(place, "PNG")
    assert read_header(place) == Header(SIZE, 1, ending, redrawn)
    if redrawn:
        drawn = redraw(place, ending)
        assert drawn == redraw(place, ending)
        with Image.open(io.BytesIO(drawn)) as image:
            assert {".jpg": "JPEG", ".png": "PNG"}[ending] == image.format
            assert image.size == SIZE
            assert image.mode in {"RGB", "P", "L"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        pytest.param(2, (1, 0), id="2"),
        pytest.param(3, (1, 1), id="3"),
        pytest.param(4, (0, 1), id="4"),
        pytest.param(5, (0, 0), id="5"),
        pytest.param(6, (1, 0), id="6"),
        pytest.param(7, (1, 1), id="7"),
        pytest.param(8, (0, 1), id="8"),
    ],
)
def test_images_are_turned_as_a_viewer_turns_them(
    tmp_path: Path, kind: str, orientation: int, corner: tuple[int, int]
) -> None:
    place = draw(tmp_path / "1", kind, orientation=orientation)
    header = read_header(place)
    assert header.redrawn
    assert header.size_px == (SIZE if orientation < 5 else SIZE[::-1])
    with Image.open(io.BytesIO(redraw(place, header.ending))) as image:
        assert image.size == header.size_px
        assert image.getexif().get(0x0112, 1) == 1
        spots = {
            (x, y): image.convert("RGB").getpixel((4 + x * (image.width - 9), 4 + y * (image.height - 9)))
            for x in (0, 1)
            for y in (0, 1)
        }
    blue = [spot for spot, colour in spots.items() if isinstance(colour, tuple) and colour[2] > 150]
    assert blue == [corner]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "it is empty", id="empty"),
        pytest.param(b"no image at all", "cannot identify", id="text"),
        pytest.param(b"\xff\xd8\xff\xe0", "it cannot be read as an image", id="a torn JPEG"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0", "it cannot be read as an image", id="a torn PNG"),
    ],
)
def test_what_is_no_image(tmp_path: Path, content: bytes, said: str) -> None:
    place = tmp_path / "1.jpg"
    place.write_bytes(content)
    with pytest.raises(TreeError, match=said):
        read_header(place)


def test_an_image_that_would_have_to_be_converted_and_is_torn(tmp_path: Path) -> None:
    place = draw(tmp_path / "1.bmp", "BMP")
    place.write_bytes(place.read_bytes()[:-500])
    with pytest.raises(TreeError, match=r"1\.bmp: it cannot be read"):
        read_header(place)
    with pytest.raises(TreeError, match="any more"):
        redraw(place, ".png")


def test_a_damaged_exif_block_says_nothing(tmp_path: Path) -> None:
    place = tmp_path / "1.jpg"
    Image.new("RGB", SIZE).save(place, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_header(place) == Header(SIZE, 1, ".jpg", redrawn=False)
