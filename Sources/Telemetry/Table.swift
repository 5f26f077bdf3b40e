/// Rows under a heading, aligned for a terminal.
public struct Table {
  public let columns: [String]
  public var rows: [[Cell]] = []

  public init(columns: [String]) {
    self.columns = columns
  }

  public struct Cell {
    public let text: String
    public let tone: Tone

    public init(_ text: String, _ tone: Tone = .plain) {
      self.text = text
      self.tone = tone
    }
  }

  /// What a cell says about health; shown as a colour where colours are shown.
  public enum Tone {
    case plain, good, warning, bad

    /// The text in this tone, where a terminal shows it.
    public func paint(_ text: String, colours: Bool) -> String {
      guard colours, let escape else { return text }
      return escape + text + "\u{1B}[0m"
    }

    private var escape: String? {
      switch self {
      case .plain: nil
      case .good: "\u{1B}[32m"
      case .warning: "\u{1B}[33m"
      case .bad: "\u{1B}[31m"
      }
    }
  }

  /// Two spaces between columns, none after the last; an empty table is only its heading.
  public func rendered(colours: Bool) -> String {
    let widths = columns.indices.map { column in
      max(columns[column].count, rows.map { $0[column].text.count }.max() ?? 0)
    }
    let heading = line(columns.map { Cell($0) }, widths: widths, colours: false)
    return ([heading] + rows.map { line($0, widths: widths, colours: colours) })
      .joined(separator: "\n") + "\n"
  }

  private func line(_ cells: [Cell], widths: [Int], colours: Bool) -> String {
    let last = cells.count - 1
    return cells.indices.map { index in
      let cell = cells[index]
      let text = cell.text.isEmpty ? "-" : cell.text
      let space =
        index == last ? "" : String(repeating: " ", count: max(widths[index], 1) - text.count + 2)
      return cell.tone.paint(text, colours: colours) + space
    }.joined()
  }
}
