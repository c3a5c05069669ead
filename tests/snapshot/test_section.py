"""What is read of a section, once for all hosts that say the same."""

from ipvs_audit.snapshot.section import Section, read_once


def test_what_sections_say_alike_is_read_once_and_all_else_apart() -> None:
    @read_once
    def words(section: Section, more: str = "") -> list[str]:
        assert section.at == 0.0, "nothing of the time may be read"
        return [section.name, section.output, more]

    said = words(Section("host", "cat", "a", 0, 1.0))
    assert words(Section("host", "cat", "a", 0, 2.0)) is said
    assert said == ["host", "a", ""]
    assert words(Section("host", "cat", "b", 0, 1.0)) == ["host", "b", ""]
    assert words(Section("other", "cat", "a", 0, 1.0)) == ["other", "a", ""]
    assert words(Section("host", "cat", "a", 0, 1.0), "x") == ["host", "a", "x"]
    assert words(Section("host", "cat", "a", 0, 1.0), more="y") == ["host", "a", "y"]
